#include "node/units.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace monodon::node {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// Largest first.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1000}, {"us", 1}}};
constexpr std::array<Unit, 5> kByteUnits{
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"", 1}}};
constexpr std::uint64_t kDurationMax = 10ULL * 366 * 24 * 3'600'000'000;
constexpr std::uint64_t kBytesMax = std::numeric_limits<std::int64_t>::max();

template <std::size_t N>
std::optional<std::uint64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units,
                                            std::uint64_t most) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number(text.substr(0, digits));
    if (!number) return std::nullopt;
    for (const Unit& unit : units) {
        if (unit.name != text.substr(digits)) continue;
        if (*number > most / unit.factor) return std::nullopt;
        return *number * unit.factor;
    }
    return std::nullopt;
}

template <std::size_t N>
std::string quantity_text(std::uint64_t value, const std::array<Unit, N>& units) {
    for (const Unit& unit : units) {
        if (value >= unit.factor && value % unit.factor == 0) {
            return std::to_string(value / unit.factor) + std::string(unit.name);
        }
    }
    return "0";
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    if (text == "0") return Duration{0};
    const auto micros = parse_quantity(text, kDurationUnits, kDurationMax);
    if (!micros) return std::nullopt;
    return Duration{static_cast<Duration::rep>(*micros)};
}

std::string duration_text(Duration duration) {
    return quantity_text(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::optional<std::uint64_t> parse_byte_size(std::string_view text) {
    return parse_quantity(text, kByteUnits, kBytesMax);
}

std::string byte_size_text(std::uint64_t bytes) { return quantity_text(bytes, kByteUnits); }

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace monodon::node
