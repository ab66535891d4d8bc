#include "tests/fuzz/json.hpp"

#include <algorithm>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "net/core/check.hpp"
#include "node/strict_json.hpp"
#include "tools/strict_json.hpp"

namespace monodon::fuzz {

namespace {

/// What node's parser allows.
constexpr std::size_t kNodeDepth = 8;

std::size_t depth_of(const boost::json::value& value) {
    std::size_t deepest = 0;
    if (const auto* array = value.if_array()) {
        for (const auto& each : *array) deepest = std::max(deepest, depth_of(each));
        return deepest + 1;
    }
    if (const auto* object = value.if_object()) {
        for (const auto& each : *object) deepest = std::max(deepest, depth_of(each.value()));
        return deepest + 1;
    }
    return deepest;
}

bool has_fraction(const boost::json::value& value) {
    if (const auto* array = value.if_array()) return std::any_of(array->begin(), array->end(), has_fraction);
    if (const auto* object = value.if_object()) {
        return std::any_of(object->begin(), object->end(),
                           [](const auto& each) { return has_fraction(each.value()); });
    }
    return value.is_double();
}

}  // namespace

std::optional<JsonText> json_again(std::string_view text) {
    const auto of_node = node::parse_strict_json(text, 64 * 1024);
    const auto of_tools = tools::parse_strict_json(text);
    // Boost reads 0e99999 as no number at all, which is not equal to itself.
    if (of_node) MONODON_CHECK(of_tools && (has_fraction(*of_tools) || *of_tools == *of_node));
    if (!of_node) MONODON_CHECK(!of_node.error().empty());
    if (!of_tools) {
        MONODON_CHECK(!of_tools.error().empty());
        return std::nullopt;
    }
    MONODON_CHECK(of_node.has_value() == (depth_of(*of_tools) <= kNodeDepth));
    return JsonText{boost::json::serialize(*of_tools), !has_fraction(*of_tools)};
}

}  // namespace monodon::fuzz
