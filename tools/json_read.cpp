#include "tools/json_read.hpp"

namespace monodon::tools {

namespace json = boost::json;

namespace {

const json::value* find(const json::object& object, std::string_view key) {
    return object.if_contains(json::string_view(key.data(), key.size()));
}

}  // namespace

std::optional<std::uint64_t> as_number(const json::value& value) {
    if (value.is_uint64()) return value.get_uint64();
    if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
    return std::nullopt;
}

std::uint64_t number(const json::object& object, std::string_view key) {
    const json::value* value = find(object, key);
    return value == nullptr ? 0 : as_number(*value).value_or(0);
}

std::optional<double> real(const json::object& object, std::string_view key) {
    const json::value* value = find(object, key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    return value->to_number<double>();
}

std::string text(const json::object& object, std::string_view key) {
    const json::value* value = find(object, key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag(const json::object& object, std::string_view key) {
    const json::value* value = find(object, key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object& child(const json::object& object, std::string_view key) {
    static const json::object kEmpty;
    const json::value* value = find(object, key);
    return value == nullptr ? kEmpty : as_object(*value);
}

const json::array& items(const json::object& object, std::string_view key) {
    static const json::array kEmpty;
    const json::value* value = find(object, key);
    return value == nullptr ? kEmpty : as_array(*value);
}

const json::object& as_object(const json::value& value) {
    static const json::object kEmpty;
    return value.is_object() ? value.get_object() : kEmpty;
}

const json::array& as_array(const json::value& value) {
    static const json::array kEmpty;
    return value.is_array() ? value.get_array() : kEmpty;
}

}  // namespace monodon::tools
