#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

/// Members of an answer that a node gave: absent or of another type reads as nothing, so that a tool of one
/// version can show what a node of another one says.
namespace monodon::tools {

[[nodiscard]] std::uint64_t number(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::optional<double> real(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::string text(const boost::json::object& object, std::string_view key);
[[nodiscard]] bool flag(const boost::json::object& object, std::string_view key);
/// Empty ones if absent.
[[nodiscard]] const boost::json::object& child(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::array& items(const boost::json::object& object, std::string_view key);
[[nodiscard]] const boost::json::object& as_object(const boost::json::value& value);
[[nodiscard]] const boost::json::array& as_array(const boost::json::value& value);

/// A JSON number that is an unsigned integer, nothing else.
[[nodiscard]] std::optional<std::uint64_t> as_number(const boost::json::value& value);

}  // namespace monodon::tools
