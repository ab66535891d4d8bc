#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/core/bytes.hpp"
#include "net/core/check.hpp"

/// What is fuzzed: functions that take any bytes and abort when a property does not hold.
namespace monodon::fuzz {

/// An input that a target is given to begin with, made from a real object.
struct Seed {
    /// Letters, digits and `-`: part of the name of a file.
    std::string name;
    Bytes bytes;
};

struct Target {
    /// Also the name of its folder in corpus/.
    std::string_view name;
    /// The property, for the list.
    std::string_view holds;
    /// Longer inputs are not tried.
    std::size_t longest;
    void (*run)(ByteView input);
    /// The same at every call.
    std::vector<Seed> (*seeds)();
    /// Words of a text format, for the fuzzer's dictionary; null for none.
    std::vector<std::string> (*words)() = nullptr;
};

/// All that are linked, by name.
[[nodiscard]] const std::vector<Target>& targets();
/// Null if there is none.
[[nodiscard]] const Target* find_target(std::string_view name);

/// Adds to targets(): one at namespace scope in each unit that has some.
struct Registration {
    explicit Registration(std::vector<Target> added);
};

/// Takes an input apart into the numbers and pieces that a target acts on; zero and nothing beyond the end.
class Cursor {
 public:
    explicit Cursor(ByteView input) : rest_(input) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint64_t u64() { return number(8); }
    /// From 0 to `bound` - 1, of one byte.
    std::size_t below(std::size_t bound) { return u8() % bound; }
    ByteView take(std::size_t most) {
        const ByteView taken = rest_.first(most < rest_.size() ? most : rest_.size());
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    ByteView rest() { return take(rest_.size()); }

 private:
    std::uint64_t number(std::size_t bytes) {
        std::uint64_t value = 0;
        const ByteView raw = take(bytes);
        for (std::size_t at = 0; at < raw.size(); ++at) value |= std::uint64_t{raw[at]} << (8 * at);
        return value;
    }

    ByteView rest_;
};

/// The bytes and one more, which no decoder may accept if it accepts the bytes.
[[nodiscard]] Bytes with_trailing(ByteView bytes);
[[nodiscard]] Bytes copy_of(ByteView bytes);
[[nodiscard]] bool same(ByteView left, ByteView right);

}  // namespace monodon::fuzz
