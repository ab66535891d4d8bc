#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "tools/exit_codes.hpp"

/// How commands talk: data to standard output in one of three forms, diagnostics to standard error.
namespace monodon::tools {

/// table: for people. json: one value on one line. plain: tabs between cells, no headings, for cut and awk.
enum class Form : std::uint8_t { table, json, plain };

enum class Tint : std::uint8_t { none, good, warning, bad, dim };

/// Escape sequences only if the stream is a terminal and NO_COLOR is unset or empty.
[[nodiscard]] bool colours(std::FILE* stream);
[[nodiscard]] bool is_terminal(std::FILE* stream);
/// The text in that tint, if `on`.
[[nodiscard]] std::string tinted(std::string_view text, Tint tint, bool on);

struct Cell {
    Cell(std::string content, Tint colour = Tint::none)  // NOLINT: as text
        : text(std::move(content)), tint(colour) {}
    Cell(const char* content) : text(content) {}  // NOLINT: as text
    std::string text;
    Tint tint = Tint::none;
};

struct Column {
    std::string title;
    /// Numbers stand to the right.
    bool right = false;
};

/// Rows under headings, each column as wide as its widest cell. Cells hold no tabs or newlines.
class Table {
 public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// As many cells as there are columns.
    void row(std::vector<Cell> cells);
    /// With headings and a newline after every row. `colour` as for tinted().
    [[nodiscard]] std::string text(bool colour) const;
    /// Tabs, no headings.
    [[nodiscard]] std::string plain() const;
    /// To standard output; nothing for Form::json.
    void print(Form form) const;

 private:
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

/// To standard output as it is.
void print_text(std::string_view text);
/// Whether standard output takes no more: a full disk, a reader that is gone. What has no end of its own ends
/// then.
[[nodiscard]] bool output_lost();
/// The exit code of a command that ended with `code`: not 0 if its output was lost. Says why on standard
/// error, but of a reader that has read enough.
[[nodiscard]] int finish_output(int code);
/// One line of JSON to standard output.
void print_json(const boost::json::value& value);
/// To standard output, with a newline.
void print_line(std::string_view line);
/// `monodon: <message>` to standard error; gives the exit code.
int report(const Failure& failure);
/// To standard error, with a newline.
void note(std::string_view line);

/// How far long work has come, on standard error: one line that is redrawn on a terminal, else a line every
/// few seconds. Not for concurrent use.
class Progress {
 public:
    /// A total of 0: there is no end to show.
    Progress(std::string what, std::uint64_t total, std::string unit);
    /// Shows the state if the last one is old enough.
    void update(std::uint64_t done, std::string_view extra = {});
    /// Clears the line of a terminal.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

 private:
    using Clock = std::chrono::steady_clock;

    std::string what_;
    std::uint64_t total_;
    std::string unit_;
    bool terminal_;
    bool drawn_ = false;
    Clock::time_point started_ = Clock::now();
    Clock::time_point shown_;
};

/// Without the escape sequences that show it: `loading  [=====>    ]  52 %  1,234 of 2,400 operations`.
[[nodiscard]] std::string progress_line(std::string_view what, std::uint64_t done, std::uint64_t total,
                                        std::string_view unit, std::string_view extra);

/// 1234567 as `1,234,567`.
[[nodiscard]] std::string grouped(std::uint64_t number);
/// `512 B`, `1.5 KB`, `61.0 MB`: powers of 1000.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
/// `850 us`, `3.1 ms`, `1.20 s`, `3m 20s`.
[[nodiscard]] std::string human_time(std::chrono::microseconds time);
/// Text from elsewhere as one line that cannot steer the terminal: control characters become `?`.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace monodon::tools
