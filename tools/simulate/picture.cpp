#include "tools/simulate/picture.hpp"

#include <algorithm>
#include <charconv>
#include <istream>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace monodon::sim {

namespace {

/// What follows `"key":` in a line that Trace wrote.
std::string_view after(std::string_view line, std::string_view key) {
    const std::string wanted = fmt::format("\"{}\":", key);
    const std::size_t at = line.find(wanted);
    return at == std::string_view::npos ? std::string_view{} : line.substr(at + wanted.size());
}

/// The numbers of a text up to a closing mark.
std::vector<std::uint64_t> numbers(std::string_view text, std::string_view end) {
    std::vector<std::uint64_t> found;
    text = text.substr(0, text.find(end));
    while (!text.empty()) {
        std::uint64_t value = 0;
        const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc{}) found.push_back(value);
        const std::size_t used = error == std::errc{} ? static_cast<std::size_t>(last - text.data()) : 1;
        text.remove_prefix(used);
    }
    return found;
}

std::uint64_t number(std::string_view text) {
    const auto found = numbers(text, ",");
    return found.empty() ? 0 : found.front();
}

struct Row {
    std::map<std::uint64_t, std::size_t> parents;
    std::set<std::uint64_t> skipped;
    std::optional<std::uint64_t> anchor;
    /// Who was not running at some time while this was the newest round.
    std::set<std::uint64_t> down;
    std::string notes;
};

struct Picture {
    std::map<std::uint64_t, Row> rows;
    std::set<std::uint64_t> down;
    std::uint64_t newest = 0;
    std::uint64_t members = 0;

    void read(std::string_view line, NodeId node) {
        std::string_view kind = after(line, "k");
        if (kind.empty()) return;
        kind.remove_prefix(1);
        kind = kind.substr(0, kind.find('"'));
        const std::uint64_t of = number(after(line, "n"));
        if (kind == "crash" || kind == "start" || kind == "heal" || kind == "halt") return note(kind, of);
        const auto slot = numbers(after(line, "slot"), "]");
        if (slot.size() != 2) return;
        members = std::max(members, slot[1] + 1);
        if (of != node) return;
        if (kind == "cert") {
            if (slot[0] > newest) rows[slot[0]].down = down;
            newest = std::max(newest, slot[0]);
            rows[slot[0]].parents[slot[1]] = numbers(after(line, "parents"), "]").size();
        } else if (kind == "commit") {
            rows[slot[0]].anchor = slot[1];
            const auto skipped = numbers(after(line, "skipped"), "]]");
            for (std::size_t at = 0; at + 1 < skipped.size(); at += 2) {
                rows[skipped[at]].skipped.insert(skipped[at + 1]);
            }
        }
    }

    void note(std::string_view kind, std::uint64_t of) {
        Row& row = rows[newest];
        row.notes += kind == "heal" ? " heal" : fmt::format(" {} {}", kind, of);
        if (kind == "start") down.erase(of);
        if (kind != "crash") return;
        down.insert(of);
        row.down.insert(of);
    }
};

std::string cell(const Row& row, std::uint64_t member) {
    const auto at = row.parents.find(member);
    const std::string_view nothing = row.down.contains(member) ? "x" : ".";
    const std::string inside = at == row.parents.end() ? std::string(nothing) : fmt::format("{}", at->second);
    if (row.anchor == member) return fmt::format("[{}]", inside);
    if (row.skipped.contains(member)) return fmt::format("({})", inside);
    return fmt::format(" {} ", inside);
}

}  // namespace

std::string picture(std::istream& trace, NodeId node) {
    Picture picture;
    for (std::string line; std::getline(trace, line);) picture.read(line, node);
    if (picture.rows.empty()) return {};
    std::string text = fmt::format(
        "The DAG of node {}: a number is a certificate with so many parents, [n] a committed anchor, (n) a\n"
        "skipped one, . nothing, x nothing since the member is down; at the right who crashed and started "
        "at\n"
        "that time.\n\nround ",
        node);
    for (std::uint64_t at = 0; at < picture.members; ++at) text += fmt::format("{:>4} ", at);
    text += "\n";
    for (const auto& [round, row] : picture.rows) {
        text += fmt::format("{:>5} ", round);
        for (std::uint64_t at = 0; at < picture.members; ++at) text += fmt::format("{:>4} ", cell(row, at));
        if (!row.notes.empty()) text += " " + row.notes;
        while (text.back() == ' ') text.pop_back();
        text += "\n";
    }
    return text;
}

}  // namespace monodon::sim
