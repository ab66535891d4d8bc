#include "node/strict_json.hpp"

#include <algorithm>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace monodon::node {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthMax = 8;

/// Hears the events of a parser and remembers the keys of the objects that are open.
struct KeyWatcher {
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);

    std::vector<std::set<std::string>> open;
    std::string key;
    std::string repeated;

    // The names and signatures are those that basic_parser asks for.
    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }
    bool on_object_begin(json::error_code&) {
        open.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, json::error_code&) {
        open.pop_back();
        return true;
    }
    bool on_array_begin(json::error_code&) { return true; }
    bool on_array_end(std::size_t, json::error_code&) { return true; }
    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        key.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t, json::error_code& error) {
        key.append(part.data(), part.size());
        if (!open.back().insert(std::exchange(key, {})).second) {
            repeated.assign(part.data(), part.size());
            error = json::error::extra_data;
            return false;
        }
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
};

std::string place(std::string_view text, std::size_t at) {
    const std::string_view before = text.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t newline = before.rfind('\n');
    const std::size_t column =
        newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return fmt::format("line {}, column {}", line, column + 1);
}

const json::value& null_value() {
    static const json::value null;
    return null;
}

const json::array& empty_array() {
    static const json::array empty;
    return empty;
}

}  // namespace

Expected<json::value, std::string> parse_strict_json(std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max) return Unexpected{fmt::format("more than {} bytes", bytes_max)};
    json::parse_options options;
    options.max_depth = kDepthMax;

    json::basic_parser<KeyWatcher> watcher(options);
    json::error_code error;
    const std::size_t read = watcher.write_some(false, text.data(), text.size(), error);
    if (!watcher.handler().repeated.empty()) {
        return Unexpected{
            fmt::format("{}: \"{}\" comes twice", place(text, read), watcher.handler().repeated)};
    }
    const bool trailing = !error && text.substr(read).find_first_not_of(" \t\r\n") != std::string_view::npos;
    if (error || trailing) {
        return Unexpected{fmt::format("{}: not JSON: {}", place(text, read),
                                      error ? error.message() : "something follows the value")};
    }
    json::value value = json::parse({text.data(), text.size()}, error, {}, options);
    if (error) return Unexpected{fmt::format("not JSON: {}", error.message())};
    return value;
}

JsonObject::JsonObject(const json::value& value, std::string path) : path_(std::move(path)) {
    object_ = value.if_object();
    if (object_ == nullptr) fail(fmt::format("{} must be an object", path_.empty() ? "the whole" : path_));
}

bool JsonObject::has(std::string_view key) const {
    return object_ != nullptr && object_->contains({key.data(), key.size()});
}

std::string JsonObject::name(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void JsonObject::fail(std::string what) {
    if (!error_) error_ = std::move(what);
}

const json::value& JsonObject::value(std::string_view key) {
    asked_.emplace(key);
    const json::value* found = object_ != nullptr ? object_->if_contains({key.data(), key.size()}) : nullptr;
    if (found != nullptr) return *found;
    fail(fmt::format("{} is missing", name(key)));
    return null_value();
}

std::string JsonObject::text(std::string_view key, std::size_t most) {
    const json::string* found = value(key).if_string();
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (found != nullptr && found->size() <= most && std::none_of(found->begin(), found->end(), is_control)) {
        return {found->data(), found->size()};
    }
    fail(fmt::format("{} must be a text of at most {} bytes", name(key), most));
    return {};
}

std::uint64_t JsonObject::number(std::string_view key) {
    const json::value& found = value(key);
    if (const auto* number = found.if_uint64()) return *number;
    if (const auto* number = found.if_int64(); number != nullptr && *number >= 0) {
        return static_cast<std::uint64_t>(*number);
    }
    fail(fmt::format("{} must be a whole number, not below 0", name(key)));
    return 0;
}

std::uint64_t JsonObject::number_or(std::string_view key, std::uint64_t otherwise) {
    return has(key) ? number(key) : otherwise;
}

const json::array& JsonObject::array(std::string_view key, std::size_t most) {
    const json::array* found = value(key).if_array();
    if (found != nullptr && found->size() <= most) return *found;
    fail(fmt::format("{} must be a list of at most {}", name(key), most));
    return empty_array();
}

std::optional<std::string> JsonObject::finish() {
    if (object_ != nullptr) {
        for (const auto& member : *object_) {
            const std::string_view key(member.key().data(), member.key().size());
            if (asked_.find(key) == asked_.end()) fail(fmt::format("{} is unknown", name(key)));
        }
    }
    return error_;
}

}  // namespace monodon::node
