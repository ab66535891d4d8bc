#include "tools/commits.hpp"

#include <algorithm>
#include <thread>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kPageMost = 1000;
constexpr auto kTailPoll = std::chrono::milliseconds(200);

/// Widths are fixed, because a stream has no end at which they could be computed.
void print_heading(Form form) {
    if (form != Form::table) return;
    print_line(tinted(fmt::format("{:>10}  {:>10}  {:>6}  {:>5}  {:>7}  {:>8}  {:>10}  {}", "COMMIT", "ROUND",
                                  "ANCHOR", "CERTS", "SKIPPED", "TX", "BYTES", "DIGEST"),
                      Tint::dim, colours(stdout)));
}

void print_commit(const json::value& value, Form form) {
    if (form == Form::json) return print_json(value);
    const json::object& commit = as_object(value);
    const json::object& anchor = child(commit, "anchor");
    const auto index = number(commit, "index");
    const auto round = number(anchor, "round");
    const auto author = number(anchor, "author");
    const auto certificates = items(commit, "certificates").size();
    const auto failed = items(commit, "failed").size();
    const auto transactions = number(commit, "transactions");
    const auto bytes = number(commit, "bytes");
    const std::string digest = text(commit, "digest");
    if (form == Form::plain) {
        print_line(fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", index, round, author, certificates, failed,
                               transactions, bytes, digest));
    } else {
        print_line(fmt::format("{:>10}  {:>10}  {:>6}  {:>5}  {:>7}  {:>8}  {:>10}  {}", index, round, author,
                               certificates, failed, transactions, human_bytes(bytes), digest.substr(0, 16)));
    }
}

/// Where a reader that named no index begins.
Result<std::uint64_t> oldest_of(Asker& asker) {
    const auto page = fetch_commits(asker, 1, 1);
    if (!page) return Unexpected{page.error()};
    return page->oldest != 0 ? page->oldest : 1;
}

Result<std::uint64_t> print_all(Asker& asker, std::uint64_t next, const CommitsOptions& options) {
    std::uint64_t printed = 0;
    while (!output_lost() && (options.tail || printed < options.count)) {
        const std::uint64_t left = options.tail ? kPageMost : options.count - printed;
        const auto page = fetch_commits(asker, next, std::min(left, kPageMost));
        if (!page) return Unexpected{page.error()};
        if (page->oldest != 0) {
            return failure(kExitFailed,
                           fmt::format("commit {} has been pruned; the oldest that {} keeps is {}", next,
                                       asker.node().name, page->oldest));
        }
        for (const json::value& commit : page->commits) print_commit(commit, options.form);
        printed += page->commits.size();
        next += page->commits.size();
        if (!page->commits.empty()) continue;
        if (!options.tail) break;
        std::this_thread::sleep_for(kTailPoll);
    }
    return printed;
}

}  // namespace

Result<CommitPage> fetch_commits(Asker& asker, std::uint64_t from, std::uint64_t limit) {
    const auto reply = asker.raw_get(fmt::format("/v1/commits?from={}&limit={}", from, limit));
    if (!reply) return Unexpected{reply.error()};
    CommitPage page;
    if (reply->status == 410) {
        const auto answer = parse_answer(reply->body);
        if (answer) page.oldest = number(as_object(*answer), "oldest");
        if (page.oldest == 0) return Unexpected{asker.refusal(*reply)};
        return page;
    }
    if (reply->status == 400) {
        const auto answer = parse_answer(reply->body);
        if (answer && text(child(as_object(*answer), "error"), "code") == "future") {
            page.future = true;
            return page;
        }
    }
    if (reply->status != 200) return Unexpected{asker.refusal(*reply)};
    auto lines = parse_lines(reply->body);
    if (!lines) return Unexpected{lines.error()};
    page.commits = std::move(*lines);
    return page;
}

int commits(const CommitsOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    std::uint64_t from = options.from;
    if (from == 0) {
        const auto oldest = oldest_of(*asker);
        if (!oldest) return report(oldest.error());
        from = *oldest;
    }
    print_heading(options.form);
    const auto printed = print_all(*asker, from, options);
    if (!printed) return report(printed.error());
    if (*printed == 0 && !output_lost()) {
        return report({kExitFailed, fmt::format("{} has no commit {} yet", asker->node().name, from)});
    }
    return kExitDone;
}

}  // namespace monodon::tools
