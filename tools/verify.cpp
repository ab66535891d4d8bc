#include <algorithm>
#include <map>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "tools/commits.hpp"
#include "tools/json_read.hpp"

// `monodon verify`. Each commit's digest covers that of the commit before, so equal digests at one index mean
// equal chains up to it: the last common index decides, and bisection finds where two chains part.
namespace monodon::tools {

namespace json = boost::json;

namespace {

/// The chain of one node as far as it was asked for.
class Chain {
 public:
    explicit Chain(const NodeRef& node) : asker_(node) {}

    [[nodiscard]] const std::string& name() const { return asker_.node().name; }
    [[nodiscard]] std::uint64_t oldest() const { return oldest_; }
    [[nodiscard]] std::uint64_t newest() const { return newest_; }

    Result<void> open() {
        const auto status = asker_.status();
        if (!status) return Unexpected{status.error()};
        newest_ = number(*status, "commit");
        if (newest_ == 0) return {};
        const auto page = fetch_commits(asker_, 1, 1);
        if (!page) return Unexpected{page.error()};
        oldest_ = std::max<std::uint64_t>(1, page->oldest);
        return {};
    }

    Result<std::string> digest(std::uint64_t index) {
        if (const auto known = digests_.find(index); known != digests_.end()) return known->second;
        const auto page = fetch_commits(asker_, index, 1);
        if (!page) return Unexpected{page.error()};
        if (page->oldest != 0) oldest_ = page->oldest;
        const json::object& commit =
            page->commits.empty() ? as_object(json::value()) : as_object(page->commits.front());
        std::string digest = text(commit, "digest");
        if (number(commit, "index") != index || digest.empty()) {
            return failure(kExitFailed, fmt::format("{} gave no commit {}", name(), index));
        }
        digests_[index] = digest;
        return digest;
    }

 private:
    Asker asker_;
    std::uint64_t oldest_ = 0;
    std::uint64_t newest_ = 0;
    std::map<std::uint64_t, std::string> digests_;
};

struct Comparison {
    enum class Kind : std::uint8_t { equal, parted, nothing };
    Kind kind = Kind::nothing;
    /// equal: the last index compared; parted: the first that differs.
    std::uint64_t index = 0;
    /// parted: they differ from the first index both keep on, so they may have parted before.
    bool before = false;
};

Result<bool> same_at(Chain& a, Chain& b, std::uint64_t index) {
    const auto left = a.digest(index);
    if (!left) return Unexpected{left.error()};
    const auto right = b.digest(index);
    if (!right) return Unexpected{right.error()};
    return *left == *right;
}

Result<Comparison> compare(Chain& a, Chain& b) {
    const std::uint64_t first = std::max(a.oldest(), b.oldest());
    const std::uint64_t last = std::min(a.newest(), b.newest());
    if (first == 0 || last < first) return Comparison{};
    auto same = same_at(a, b, last);
    if (!same) return Unexpected{same.error()};
    if (*same) return Comparison{Comparison::Kind::equal, last, false};
    // The first index at which they differ lies in (equal, different].
    std::uint64_t equal = first - 1;
    std::uint64_t different = last;
    while (different - equal > 1) {
        const std::uint64_t middle = equal + (different - equal) / 2;
        same = same_at(a, b, middle);
        if (!same) return Unexpected{same.error()};
        (*same ? equal : different) = middle;
    }
    return Comparison{Comparison::Kind::parted, different, different == first && first > 1};
}

Result<std::vector<NodeRef>> chosen(const VerifyOptions& options) {
    if (options.all) return find_nodes(options.where);
    std::vector<NodeRef> nodes;
    for (const std::string& word : options.nodes) {
        auto node = resolve_node(word, options.where);
        if (!node) return Unexpected{node.error()};
        nodes.push_back(std::move(*node));
    }
    return nodes;
}

struct Verdicts {
    Table table{{{"A"}, {"B"}, {"RESULT"}, {"COMMIT", true}, {"DIGEST"}}};
    json::array list;
    int code = kExitDone;
};

Result<void> add_pair(Verdicts& verdicts, Chain& a, Chain& b) {
    const auto comparison = compare(a, b);
    if (!comparison) return Unexpected{comparison.error()};
    json::object entry{{"a", a.name()}, {"b", b.name()}, {"index", comparison->index}};
    switch (comparison->kind) {
        case Comparison::Kind::equal: {
            const auto digest = a.digest(comparison->index);
            if (!digest) return Unexpected{digest.error()};
            entry["result"] = "equal";
            entry["digest"] = *digest;
            verdicts.table.row({a.name(),
                                b.name(),
                                {"equal up to", Tint::good},
                                std::to_string(comparison->index),
                                digest->substr(0, 16)});
            break;
        }
        case Comparison::Kind::parted: {
            const auto left = a.digest(comparison->index);
            const auto right = b.digest(comparison->index);
            if (!left) return Unexpected{left.error()};
            if (!right) return Unexpected{right.error()};
            entry["result"] = "parted";
            entry["digest_a"] = *left;
            entry["digest_b"] = *right;
            verdicts.table.row({a.name(),
                                b.name(),
                                {comparison->before ? "DIFFER at or before" : "DIFFER from", Tint::bad},
                                std::to_string(comparison->index),
                                fmt::format("{} / {}", left->substr(0, 16), right->substr(0, 16))});
            verdicts.code = kExitFailed;
            break;
        }
        case Comparison::Kind::nothing:
            entry["result"] = "nothing to compare";
            verdicts.table.row({a.name(), b.name(), {"no common commit", Tint::warning}, "-", "-"});
            if (verdicts.code == kExitDone) verdicts.code = kExitNotReady;
            break;
    }
    verdicts.list.push_back(std::move(entry));
    return {};
}

}  // namespace

int verify(const VerifyOptions& options) {
    const auto nodes = chosen(options);
    if (!nodes) return report(nodes.error());
    if (nodes->size() < 2)
        return report({kExitUsage, "two nodes at least: name them, or give --all and --dir NET"});
    std::vector<Chain> chains;
    for (const NodeRef& node : *nodes) {
        chains.emplace_back(node);
        if (auto opened = chains.back().open(); !opened) return report(opened.error());
    }
    Verdicts verdicts;
    for (std::size_t a = 0; a < chains.size(); ++a) {
        for (std::size_t b = a + 1; b < chains.size(); ++b) {
            if (auto added = add_pair(verdicts, chains[a], chains[b]); !added) return report(added.error());
        }
    }
    if (options.form == Form::json) print_json(verdicts.list);
    verdicts.table.print(options.form);
    return verdicts.code;
}

}  // namespace monodon::tools
