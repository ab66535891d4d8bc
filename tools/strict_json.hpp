#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "net/core/expected.hpp"

namespace monodon::tools {

inline constexpr std::uint64_t kAnyNumber = std::numeric_limits<std::uint64_t>::max();

/// Parses JSON text; objects that repeat a key are refused, since readers differ on which value counts.
[[nodiscard]] Expected<boost::json::value, std::string> parse_strict_json(std::string_view text);

/// Nothing unless the value is a whole number from 0 to 2^64 - 1, written without fraction or exponent.
[[nodiscard]] std::optional<std::uint64_t> whole_number(const boost::json::value& value);

/// Reads the members of one JSON object, then refuses those that were not asked for. The first fault is kept
/// in `fault`, which is shared by all readers of a document; after it every answer is a default.
class ObjectReader {
 public:
    /// `place` begins the messages, as in "leaders". Keeps references to all arguments but `place`.
    ObjectReader(const boost::json::value& value, std::string place, std::string& fault);

    /// Null, and a fault if it is required, when there is no such member.
    const boost::json::value* member(std::string_view key, bool required);
    /// Required if there is no default.
    std::uint64_t number(std::string_view key, std::optional<std::uint64_t> otherwise, std::uint64_t least,
                         std::uint64_t most);
    std::string text(std::string_view key, std::optional<std::string_view> otherwise, std::size_t longest);
    /// Required; null after a fault.
    const boost::json::array* array(std::string_view key);
    const boost::json::object* object(std::string_view key);
    /// Whole numbers of at most 64 bits. Required.
    std::vector<std::uint64_t> numbers(std::string_view key);
    /// Call last.
    void refuse_unknown();

    [[nodiscard]] std::string place_of(std::string_view key) const;
    void fail(std::string message);
    [[nodiscard]] bool good() const { return fault_.empty(); }

 private:
    const boost::json::object* object_;
    std::string place_;
    std::string& fault_;
    std::vector<std::string_view> known_;
};

}  // namespace monodon::tools
