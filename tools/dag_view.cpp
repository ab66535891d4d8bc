#include "tools/dag_view.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

constexpr auto kPicturePoll = std::chrono::milliseconds(500);
/// As many as a node gives at once: when following, more than pass between two polls.
constexpr std::uint64_t kFollowRounds = 100;
/// Up to this size the authors of the parents are listed one by one.
constexpr std::size_t kParentsListed = 10;

/// `*3f2a9c01 0123 b2`: mark, digest, parents, batches.
struct CellText {
    std::string text;
    Tint tint = Tint::none;
};

std::string parents_of(const json::object& vertex, std::size_t validators) {
    const json::array& parents = items(vertex, "parents");
    if (validators > kParentsListed) return fmt::format("{:>3} parents", parents.size());
    std::string list(validators, '-');
    for (const json::value& parent : parents) {
        const auto author = as_number(parent).value_or(validators);
        if (author < validators) list[author] = static_cast<char>('0' + author);
    }
    return list;
}

CellText cell_of(const json::object& vertex, std::size_t validators) {
    const bool anchor = flag(vertex, "anchor");
    const bool ordered = flag(vertex, "ordered");
    const auto batches = number(vertex, "batches");
    CellText cell;
    cell.text = fmt::format("{}{} {}{}",
                            anchor    ? 'A'
                            : ordered ? '*'
                                      : 'o',
                            text(vertex, "digest").substr(0, 6), parents_of(vertex, validators),
                            batches == 0 ? "" : fmt::format(" b{}", batches));
    cell.tint = anchor ? Tint::good : ordered ? Tint::none : Tint::dim;
    return cell;
}

std::vector<CellText> cells_of(const json::object& round, std::size_t validators) {
    std::vector<CellText> cells(validators, CellText{".", Tint::warning});
    for (const json::value& item : items(round, "vertices")) {
        const json::object& vertex = as_object(item);
        const auto author = number(vertex, "author");
        if (author < validators) cells[author] = cell_of(vertex, validators);
    }
    return cells;
}

std::uint64_t newest_round(const json::object& answer) {
    std::uint64_t newest = 0;
    for (const json::value& round : items(answer, "rounds")) {
        if (!items(as_object(round), "vertices").empty()) newest = number(as_object(round), "round");
    }
    return newest;
}

/// Without the newest round, which still fills up: it is shown when there is one above it.
json::object complete_rounds(const json::object& answer) {
    const std::uint64_t newest = newest_round(answer);
    json::array kept;
    for (const json::value& round : items(answer, "rounds")) {
        if (number(as_object(round), "round") < newest) kept.push_back(round);
    }
    json::object complete = answer;
    complete["rounds"] = std::move(kept);
    return complete;
}

int follow(Asker& asker, std::uint64_t shown, bool colour) {
    while (!output_lost()) {
        std::this_thread::sleep_for(kPicturePoll);
        const auto answer = asker.get(fmt::format("/v1/dag?from={}&rounds={}", shown + 1, kFollowRounds));
        if (!answer) return report(answer.error());
        const json::object complete = complete_rounds(as_object(*answer));
        if (newest_round(complete) <= shown) continue;
        print_text(dag_text(complete, shown, colour));
        shown = newest_round(complete);
    }
    return kExitFailed;
}

}  // namespace

std::string dag_text(const json::object& answer, std::uint64_t after, bool colour) {
    const json::array& validators = items(answer, "validators");
    std::vector<std::vector<CellText>> rows;
    std::vector<std::uint64_t> numbers;
    std::vector<std::size_t> widths;
    for (const json::value& name : validators)
        widths.push_back(name.is_string() ? name.get_string().size() : 0);
    // Enough for a cell without batches, so that the columns of lines that come later stand below each other.
    for (std::size_t& width : widths) {
        width = std::max(width, 8 + (validators.size() > kParentsListed ? 11 : validators.size()) + 3);
    }
    for (const json::value& item : items(answer, "rounds")) {
        const json::object& round = as_object(item);
        if (number(round, "round") <= after) continue;
        numbers.push_back(number(round, "round"));
        rows.push_back(cells_of(round, validators.size()));
        for (std::size_t at = 0; at < widths.size(); ++at) {
            widths[at] = std::max(widths[at], rows.back()[at].text.size());
        }
    }

    std::string out;
    if (after == 0) {
        out += tinted(
            "A anchor  * ordered  o certificate  . none;  digest, authors of its parents, bN batches\n",
            Tint::dim, colour);
        out += fmt::format("{:>9}", "ROUND");
        for (std::size_t at = 0; at < validators.size(); ++at) {
            const std::string name =
                validators[at].is_string() ? std::string(validators[at].get_string()) : "?";
            out += fmt::format("  {:<{}}", name, widths[at]);
        }
        out += '\n';
    }
    for (std::size_t line = 0; line < rows.size(); ++line) {
        out += fmt::format("{:>9}", numbers[line]);
        for (std::size_t at = 0; at < widths.size(); ++at) {
            const CellText& cell = rows[line][at];
            out += "  " + tinted(cell.text, cell.tint, colour);
            if (at + 1 < widths.size()) out += std::string(widths[at] - cell.text.size(), ' ');
        }
        out += '\n';
    }
    return out;
}

int dag(const DagOptions& options) {
    auto asker = ask_one(options.where);
    if (!asker) return report(asker.error());
    const auto answer = asker->get(fmt::format("/v1/dag?rounds={}", options.rounds));
    if (!answer) return report(answer.error());
    if (options.form == Form::json) {
        print_json(*answer);
        return kExitDone;
    }
    const bool colour = options.form == Form::table && colours(stdout);
    if (!options.follow) {
        print_text(dag_text(as_object(*answer), 0, colour));
        return kExitDone;
    }
    const json::object complete = complete_rounds(as_object(*answer));
    print_text(dag_text(complete, 0, colour));
    return follow(*asker, newest_round(complete), colour);
}

}  // namespace monodon::tools
