#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

/// Logging by category with levels that change while running. dag/ never logs: it returns effects.
namespace monodon::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };
/// Where a line comes from; each has a level of its own.
enum class Category : std::uint8_t { node, net, rpc, consensus, storage, worker, execution, api };
inline constexpr std::size_t kCategories = 8;

enum class Format : std::uint8_t { text, json };

[[nodiscard]] std::string_view name(Level level);
[[nodiscard]] std::string_view name(Category category);
[[nodiscard]] std::optional<Level> parse_level(std::string_view text);
[[nodiscard]] std::optional<Category> parse_category(std::string_view text);

/// Call once before the first line. `node` is a field of every line. Lines go to standard error.
void initialise(Format format, Level level, std::string node);
void set_level(Category category, Level level);
[[nodiscard]] Level level(Category category);
[[nodiscard]] inline bool enabled(Category category, Level wanted) { return wanted >= level(category); }

/// Named values of a line, kept apart from the text so that the JSON form has them as members. The usual
/// keys: round, digest, peer, error.
using Fields = std::vector<std::pair<std::string_view, std::string>>;

/// Thread-safe. Nothing a peer sends may cause a line at info or above without a limit on its rate.
void write(Category category, Level level, std::string_view message, const Fields& fields = {});

inline void debug(Category category, std::string_view message, const Fields& fields = {}) {
    if (enabled(category, Level::debug)) write(category, Level::debug, message, fields);
}
inline void info(Category category, std::string_view message, const Fields& fields = {}) {
    write(category, Level::info, message, fields);
}
inline void warn(Category category, std::string_view message, const Fields& fields = {}) {
    write(category, Level::warn, message, fields);
}
inline void error(Category category, std::string_view message, const Fields& fields = {}) {
    write(category, Level::error, message, fields);
}

}  // namespace monodon::log
