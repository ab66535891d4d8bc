#include "tools/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <unistd.h>

#include "net/core/check.hpp"
#include "node/json_text.hpp"

namespace monodon::tools {

namespace {

constexpr std::size_t kBarWidth = 24;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kSparse = std::chrono::seconds(5);

/// Columns on a terminal: bytes that begin a character.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

std::string_view escape(Tint tint) {
    switch (tint) {
        case Tint::none:
            return "";
        case Tint::good:
            return "\033[32m";
        case Tint::warning:
            return "\033[33m";
        case Tint::bad:
            return "\033[31m";
        case Tint::dim:
            return "\033[2m";
    }
    return "";
}

bool write(std::FILE* stream, std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
}

/// Of the first write to standard output that failed; one for the process, as the stream is.
int output_error = 0;

void note_output(bool written) {
    if (!written && output_error == 0) output_error = errno != 0 ? errno : EIO;
}

}  // namespace

void print_text(std::string_view text) {
    if (output_error == 0) note_output(write(stdout, text));
}

bool output_lost() { return output_error != 0; }

int finish_output(int code) {
    // What was written to the stream of C++ is in the same buffer.
    std::cout.flush();
    note_output(std::fflush(stdout) == 0 && std::ferror(stdout) == 0);
    if (output_error == 0) return code;
    if (output_error != EPIPE) {
        report(
            {kExitFailed, fmt::format("cannot write to standard output: {}", std::strerror(output_error))});
    }
    return code == kExitDone ? kExitFailed : code;
}

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

bool colours(std::FILE* stream) {
    const char* refused = std::getenv("NO_COLOR");
    return is_terminal(stream) && (refused == nullptr || *refused == '\0');
}

std::string tinted(std::string_view text, Tint tint, bool on) {
    if (!on || tint == Tint::none) return std::string(text);
    return fmt::format("{}{}\033[0m", escape(tint), text);
}

void Table::row(std::vector<Cell> cells) {
    MONODON_CHECK(cells.size() == columns_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::text(bool colour) const {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) widths.push_back(width(column.title));
    for (const auto& row : rows_) {
        for (std::size_t at = 0; at < row.size(); ++at)
            widths[at] = std::max(widths[at], width(row[at].text));
    }

    std::string out;
    const auto put = [&](std::size_t at, std::string_view text, Tint tint) {
        const std::string space(widths[at] - width(text), ' ');
        const bool last = at + 1 == columns_.size();
        if (columns_[at].right) out += space;
        out += tinted(text, tint, colour);
        if (!columns_[at].right && !last) out += space;
        out += last ? "\n" : "  ";
    };
    for (std::size_t at = 0; at < columns_.size(); ++at) put(at, columns_[at].title, Tint::dim);
    for (const auto& row : rows_) {
        for (std::size_t at = 0; at < row.size(); ++at) put(at, row[at].text, row[at].tint);
    }
    return out;
}

std::string Table::plain() const {
    std::string out;
    for (const auto& row : rows_) {
        for (std::size_t at = 0; at < row.size(); ++at) {
            out += row[at].text;
            out += at + 1 == row.size() ? '\n' : '\t';
        }
    }
    return out;
}

void Table::print(Form form) const {
    if (form == Form::table) print_text(text(colours(stdout)));
    if (form == Form::plain) print_text(plain());
}

void print_json(const boost::json::value& value) { print_line(node::json_text(value)); }

void print_line(std::string_view line) { print_text(fmt::format("{}\n", line)); }

void note(std::string_view line) { write(stderr, fmt::format("{}\n", line)); }

int report(const Failure& failure) {
    const bool colour = colours(stderr);
    note(fmt::format("{} {}", tinted("monodon:", Tint::bad, colour), failure.message));
    return failure.code;
}

Progress::Progress(std::string what, std::uint64_t total, std::string unit)
    : what_(std::move(what)), total_(total), unit_(std::move(unit)), terminal_(is_terminal(stderr)) {}

void Progress::update(std::uint64_t done, std::string_view extra) {
    const auto now = Clock::now();
    if (terminal_) {
        if (drawn_ && now - shown_ < kRedraw) return;
        write(stderr, fmt::format("\r\033[K{}", progress_line(what_, done, total_, unit_, extra)));
    } else {
        // Quick work says nothing.
        if (now - (drawn_ ? shown_ : started_) < kSparse) return;
        note(progress_line(what_, done, total_, unit_, extra));
    }
    drawn_ = true;
    shown_ = now;
}

Progress::~Progress() {
    if (terminal_ && drawn_) write(stderr, "\r\033[K");
}

std::string progress_line(std::string_view what, std::uint64_t done, std::uint64_t total,
                          std::string_view unit, std::string_view extra) {
    std::string line(what);
    if (total > 0) {
        const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
        const auto filled = static_cast<std::size_t>(share * static_cast<double>(kBarWidth));
        std::string bar(filled, '=');
        if (filled < kBarWidth) bar += '>';
        line += fmt::format("  [{:<{}}]  {:3.0f} %  {} of {} {}", bar, kBarWidth, share * 100, grouped(done),
                            grouped(total), unit);
    } else {
        line += fmt::format("  {} {}", grouped(done), unit);
    }
    if (!extra.empty()) line += fmt::format("  {}", extra);
    return line;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

std::string human_bytes(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"KB", "MB", "GB", "TB"};
    if (bytes < 1000) return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes) / 1000;
    std::size_t unit = 0;
    while (value >= 999.95 && unit + 1 < std::size(kUnits)) {
        value /= 1000;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_time(std::chrono::microseconds time) {
    const auto us = time.count();
    if (us < 1000) return fmt::format("{} us", us);
    if (us < 1'000'000) return fmt::format("{:.1f} ms", static_cast<double>(us) / 1e3);
    if (us < 60'000'000) return fmt::format("{:.2f} s", static_cast<double>(us) / 1e6);
    const auto seconds = us / 1'000'000;
    if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
    return fmt::format("{}h {}m", seconds / 3600, seconds % 3600 / 60);
}

std::string one_line(std::string_view text) {
    std::string out(text);
    for (char& byte : out) {
        const auto code = static_cast<unsigned char>(byte);
        if (code < 0x20 || code == 0x7F) byte = byte == '\n' || byte == '\t' ? ' ' : '?';
    }
    return out;
}

}  // namespace monodon::tools
