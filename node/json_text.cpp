#include "node/json_text.hpp"

#include <cmath>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>

namespace monodon::node {
namespace {

namespace json = boost::json;

/// With a point, so that it is read as a fraction again.
std::string decimal(double number) {
    if (!std::isfinite(number)) return "null";
    std::string digits = fmt::format("{}", number);
    if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
    return digits;
}

void append(std::string& out, const json::value& value) {
    if (const auto* object = value.if_object()) {
        out += '{';
        bool first = true;
        for (const auto& [key, item] : *object) {
            if (!std::exchange(first, false)) out += ',';
            out += json::serialize(json::string(key)) + ':';
            append(out, item);
        }
        out += '}';
    } else if (const auto* array = value.if_array()) {
        out += '[';
        for (std::size_t at = 0; at < array->size(); ++at) {
            if (at > 0) out += ',';
            append(out, (*array)[at]);
        }
        out += ']';
    } else if (const auto* number = value.if_double()) {
        out += decimal(*number);
    } else {
        out += json::serialize(value);
    }
}

}  // namespace

std::string json_text(const json::value& value) {
    std::string out;
    append(out, value);
    return out;
}

}  // namespace monodon::node
