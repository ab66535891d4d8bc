#include "tools/why.hpp"

#include <fmt/format.h>

#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

std::string milliseconds(double value) {
    return human_time(std::chrono::microseconds(static_cast<std::int64_t>(value * 1000)));
}

std::string names_of(const json::array& names) {
    std::string out;
    for (const json::value& name : names) {
        if (name.is_string()) out += (out.empty() ? "" : " ") + one_line(name.get_string());
    }
    return out.empty() ? "-" : out;
}

std::string answers_of(const json::array& asked) {
    std::string out;
    for (const json::value& item : asked) {
        const json::object& each = as_object(item);
        out +=
            fmt::format("{}{} {} ago: {}", out.empty() ? "" : "; ", one_line(text(each, "validator")),
                        milliseconds(real(each, "asked_ms_ago").value_or(0)), one_line(text(each, "answer")));
    }
    return out.empty() ? "nobody yet" : out;
}

std::string next_of(const json::object& each) {
    const auto next = real(each, "next_attempt_ms");
    if (!next) return "is asked now";
    return *next == 0 ? "now" : "in " + milliseconds(*next);
}

void add_missing(Table& table, std::string_view kind, const json::array& things) {
    for (const json::value& item : things) {
        const json::object& each = as_object(item);
        table.row({std::string(kind), std::to_string(number(each, "round")), one_line(text(each, "digest")),
                   names_of(items(each, "holders")), answers_of(items(each, "asked")), next_of(each)});
    }
}

void note_unlisted(std::string& out, std::string_view kind, std::uint64_t all, std::size_t listed) {
    if (all > listed) out += fmt::format("and {} more {}\n", all - listed, kind);
}

Table table_of(const json::object& answer) {
    Table table({{"MISSING"}, {"ROUND", true}, {"DIGEST"}, {"HOLDERS"}, {"ASKED"}, {"NEXT"}});
    if (answer.contains("ranges")) {
        const json::object& ranges = child(answer, "ranges");
        table.row({"rounds", std::to_string(number(ranges, "highest") + 1),
                   fmt::format("to {}", number(ranges, "target")), names_of(items(ranges, "holders")),
                   answers_of(items(ranges, "asked")), next_of(ranges)});
    }
    add_missing(table, "certificate", items(answer, "certificates"));
    add_missing(table, "batch", items(answer, "batches"));
    return table;
}

}  // namespace

std::string why_text(const json::object& answer, bool colour) {
    if (!flag(answer, "blocked")) {
        return fmt::format("nothing blocks: {} commits are ordered, {} executed\n", number(answer, "ordered"),
                           number(answer, "executed"));
    }
    std::string out;
    if (const auto commit = number(answer, "commit"); commit > 0)
        out += tinted(fmt::format("commit {} waits\n", commit), Tint::bad, colour);
    for (const json::value& reason : items(answer, "reasons")) {
        if (reason.is_string()) out += "  " + one_line(reason.get_string()) + "\n";
    }
    const json::array& certificates = items(answer, "certificates");
    const json::array& batches = items(answer, "batches");
    if (!certificates.empty() || !batches.empty() || answer.contains("ranges")) {
        out += "\n" + table_of(answer).text(colour);
    }
    note_unlisted(out, "certificates", number(answer, "certificates_missing"), certificates.size());
    note_unlisted(out, "batches", number(answer, "batches_missing"), batches.size());
    return out;
}

int why(const WhyOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    const auto answer = asker->get("/v1/why");
    if (!answer) return report(answer.error());
    if (options.form == Form::json) {
        print_json(*answer);
    } else if (options.form == Form::plain) {
        table_of(as_object(*answer)).print(options.form);
    } else {
        const std::string text = why_text(as_object(*answer), colours(stdout));
        print_line(std::string_view(text).substr(0, text.size() - 1));
    }
    return kExitDone;
}

}  // namespace monodon::tools
