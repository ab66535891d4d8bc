#include "net/core/log.hpp"

#include <array>
#include <atomic>
#include <cstdlib>

#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace monodon::log {

namespace {

constexpr std::array<std::string_view, 6> kLevelNames = {"trace", "debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, kCategories> kCategoryNames = {
    "node", "net", "rpc", "consensus", "storage", "worker", "execution", "api"};

std::array<std::atomic<Level>, kCategories> g_levels = {Level::info, Level::info, Level::info, Level::info,
                                                        Level::info, Level::info, Level::info, Level::info};
std::atomic<bool> g_json = false;
std::string g_node;  // set once by initialise(), before threads start

spdlog::logger& sink() {
    static const std::shared_ptr<spdlog::logger> logger = [] {
        const bool colour = ::isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
        auto output = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(
            colour ? spdlog::color_mode::automatic : spdlog::color_mode::never);
        auto made = std::make_shared<spdlog::logger>("monodon", std::move(output));
        made->set_level(spdlog::level::trace);
        made->flush_on(spdlog::level::trace);
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%f %^%-5l%$ %v");
        return made;
    }();
    return *logger;
}

void append_json(std::string& out, std::string_view text) {
    out.push_back('"');
    for (char letter : text) {
        if (letter == '"' || letter == '\\') {
            out.push_back('\\');
            out.push_back(letter);
        } else if (static_cast<unsigned char>(letter) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(letter));
        } else {
            out.push_back(letter);
        }
    }
    out.push_back('"');
}

/// Line breaks and control characters would let a peer's text forge log lines.
void append_plain(std::string& out, std::string_view text) {
    for (char letter : text) out.push_back(static_cast<unsigned char>(letter) < 0x20 ? '.' : letter);
}

}  // namespace

std::string_view name(Level level) { return kLevelNames.at(static_cast<std::size_t>(level)); }
std::string_view name(Category category) { return kCategoryNames.at(static_cast<std::size_t>(category)); }

std::optional<Level> parse_level(std::string_view text) {
    for (std::size_t at = 0; at < kLevelNames.size(); ++at) {
        if (kLevelNames.at(at) == text) return static_cast<Level>(at);
    }
    return std::nullopt;
}

std::optional<Category> parse_category(std::string_view text) {
    for (std::size_t at = 0; at < kCategoryNames.size(); ++at) {
        if (kCategoryNames.at(at) == text) return static_cast<Category>(at);
    }
    return std::nullopt;
}

void initialise(Format format, Level level, std::string node) {
    g_node = std::move(node);
    g_json = format == Format::json;
    if (g_json) sink().set_pattern("%v");
    for (auto& each : g_levels) each = level;
}

void set_level(Category category, Level level) { g_levels.at(static_cast<std::size_t>(category)) = level; }
Level level(Category category) {
    return g_levels.at(static_cast<std::size_t>(category)).load(std::memory_order_relaxed);
}

void write(Category category, Level level, std::string_view message, const Fields& fields) {
    if (!enabled(category, level)) return;
    std::string line;
    if (g_json) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
        line = fmt::format(R"({{"ts":{}.{:06},"level":"{}","cat":"{}","node":)", us / 1000000, us % 1000000,
                           name(level), name(category));
        append_json(line, g_node);
        line += R"(,"msg":)";
        append_json(line, message);
        for (const auto& [key, value] : fields) {
            line.push_back(',');
            append_json(line, key);
            line.push_back(':');
            append_json(line, value);
        }
        line.push_back('}');
    } else {
        line = fmt::format("{:<9} ", name(category));
        append_plain(line, message);
        for (const auto& [key, value] : fields) {
            line += fmt::format(" {}=", key);
            append_plain(line, value);
        }
    }
    constexpr std::array kSpdLevels = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                       spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
    sink().log(kSpdLevels.at(static_cast<std::size_t>(level)), line);
}

}  // namespace monodon::log
