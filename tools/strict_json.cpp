#include "tools/strict_json.hpp"

#include <algorithm>
#include <set>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace monodon::tools {

namespace json = boost::json;

namespace {

/// Enough for every input of ours; recursion is bounded by it.
constexpr std::size_t kDepthMax = 16;

json::parse_options options() {
    json::parse_options options;
    options.max_depth = kDepthMax;
    return options;
}

/// Sees a document go by and remembers the keys of each open object.
class RepeatedKeys {
 public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    [[nodiscard]] const std::optional<std::string>& repeated() const { return repeated_; }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }
    bool on_object_begin(json::error_code&) {
        open_.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, json::error_code&) {
        open_.pop_back();
        return true;
    }
    bool on_array_begin(json::error_code&) { return true; }
    bool on_array_end(std::size_t, json::error_code&) { return true; }
    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        key_.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t, json::error_code&) {
        key_.append(part.data(), part.size());
        if (!open_.back().insert(key_).second) repeated_ = key_;
        key_.clear();
        return true;
    }
    bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
    bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
    bool on_number_part(json::string_view, json::error_code&) { return true; }
    bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
    bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
    bool on_double(double, json::string_view, json::error_code&) { return true; }
    bool on_bool(bool, json::error_code&) { return true; }
    bool on_null(json::error_code&) { return true; }
    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
    std::vector<std::set<std::string>> open_;
    std::string key_;
    /// Any key can be, the empty one too.
    std::optional<std::string> repeated_;
};

}  // namespace

Expected<json::value, std::string> parse_strict_json(std::string_view text) {
    json::error_code error;
    json::value value = json::parse({text.data(), text.size()}, error, {}, options());
    if (error) return Unexpected{"not JSON: " + error.message()};
    json::basic_parser<RepeatedKeys> parser(options());
    (void)parser.write_some(false, text.data(), text.size(), error);
    const std::optional<std::string>& repeated = parser.handler().repeated();
    if (repeated) return Unexpected{fmt::format("the key \"{}\" stands twice in one object", *repeated)};
    return value;
}

std::optional<std::uint64_t> whole_number(const json::value& value) {
    if (const auto* number = value.if_uint64()) return *number;
    const auto* number = value.if_int64();
    if (number == nullptr || *number < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

ObjectReader::ObjectReader(const json::value& value, std::string place, std::string& fault)
    : object_(value.if_object()), place_(std::move(place)), fault_(fault) {
    if (object_ == nullptr) fail(fmt::format("{} is not an object", place_.empty() ? "the input" : place_));
}

const json::value* ObjectReader::member(std::string_view key, bool required) {
    known_.push_back(key);
    if (object_ == nullptr) return nullptr;
    const json::value* value = object_->if_contains({key.data(), key.size()});
    if (value == nullptr && required) fail(place_of(key) + " is missing");
    return value;
}

std::uint64_t ObjectReader::number(std::string_view key, std::optional<std::uint64_t> otherwise,
                                   std::uint64_t least, std::uint64_t most) {
    const json::value* value = member(key, !otherwise.has_value());
    if (value == nullptr) return otherwise.value_or(least);
    const auto number = whole_number(*value);
    if (number && *number >= least && *number <= most) return *number;
    fail(fmt::format("{} is not a whole number from {} to {}", place_of(key), least, most));
    return least;
}

std::string ObjectReader::text(std::string_view key, std::optional<std::string_view> otherwise,
                               std::size_t longest) {
    const json::value* value = member(key, !otherwise.has_value());
    if (value == nullptr) return std::string(otherwise.value_or(""));
    const json::string* text = value->if_string();
    if (text != nullptr && text->size() <= longest) return {text->data(), text->size()};
    fail(fmt::format("{} is not a text of at most {} bytes", place_of(key), longest));
    return {};
}

const json::array* ObjectReader::array(std::string_view key) {
    const json::value* value = member(key, true);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) fail(place_of(key) + " is not an array");
    return value->if_array();
}

const json::object* ObjectReader::object(std::string_view key) {
    const json::value* value = member(key, true);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) fail(place_of(key) + " is not an object");
    return value->if_object();
}

std::vector<std::uint64_t> ObjectReader::numbers(std::string_view key) {
    std::vector<std::uint64_t> numbers;
    const json::array* values = array(key);
    if (values == nullptr) return numbers;
    for (const json::value& value : *values) {
        const auto number = whole_number(value);
        if (!number) fail(place_of(key) + " holds something that is not a whole number from 0");
        numbers.push_back(number.value_or(0));
    }
    return numbers;
}

void ObjectReader::refuse_unknown() {
    if (object_ == nullptr) return;
    for (const auto& entry : *object_) {
        const std::string_view key(entry.key().data(), entry.key().size());
        if (std::find(known_.begin(), known_.end(), key) == known_.end())
            fail(place_of(key) + " is not a known key");
    }
}

std::string ObjectReader::place_of(std::string_view key) const {
    return place_.empty() ? std::string(key) : fmt::format("{}.{}", place_, key);
}

void ObjectReader::fail(std::string message) {
    if (fault_.empty()) fault_ = std::move(message);
}

}  // namespace monodon::tools
