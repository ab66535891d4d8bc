#include "tools/operations.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "dag/model/types.hpp"
#include "node/kv_format.hpp"
#include "node/strict_json.hpp"

namespace monodon::tools {

namespace {

/// A transaction of 256 KiB in hexadecimal, and its key.
constexpr std::size_t kLineMost = 768 * 1024;

std::optional<Bytes> hex_of(node::JsonObject& object, const std::string& key) {
    const boost::json::value& value = object.value(key);
    auto bytes = value.is_string() ? from_hex(std::string_view(value.get_string())) : std::nullopt;
    if (!bytes) object.fail(key + " must be hexadecimal digits");
    return bytes;
}

/// A text, or bytes in hexadecimal under the name with `_hex`.
std::optional<Bytes> bytes_of(node::JsonObject& object, const std::string& key) {
    const std::string hex_key = key + "_hex";
    if (object.has(hex_key)) {
        if (object.has(key)) object.fail(fmt::format("{} and {} exclude each other", key, hex_key));
        return hex_of(object, hex_key);
    }
    if (!object.has(key)) return std::nullopt;
    const boost::json::value& value = object.value(key);
    if (!value.is_string()) {
        object.fail(key + " must be a text");
        return std::nullopt;
    }
    const ByteView text = as_bytes(std::string_view(value.get_string()));
    return Bytes(text.begin(), text.end());
}

Bytes required(node::JsonObject& object, const std::string& key) {
    auto bytes = bytes_of(object, key);
    if (!bytes) object.fail(key + " is missing");
    return bytes.value_or(Bytes{});
}

node::KvNonce nonce_of(node::JsonObject& object) {
    if (!object.has("nonce_hex")) return fresh_nonce();
    const auto given = hex_of(object, "nonce_hex");
    node::KvNonce nonce{};
    if (given && given->size() == nonce.size()) {
        std::ranges::copy(*given, nonce.begin());
    } else if (given) {
        object.fail(fmt::format("nonce_hex has {} bytes", nonce.size()));
    }
    return nonce;
}

std::optional<node::KvOp> parse_op(const std::string& name) {
    if (name == "put") return node::KvOp::put;
    if (name == "delete") return node::KvOp::erase;
    if (name == "cas") return node::KvOp::compare_and_set;
    if (name == "get") return node::KvOp::get;
    return std::nullopt;
}

Bytes kv_of(node::JsonObject& object, node::KvOp op) {
    const Bytes key = required(object, "key");
    Bytes value;
    std::optional<Bytes> expected;
    if (op == node::KvOp::put || op == node::KvOp::compare_and_set) value = required(object, "value");
    if (op == node::KvOp::compare_and_set) expected = bytes_of(object, "expected");
    if (key.empty() || key.size() > node::kKvKeyBytesMax) {
        object.fail(fmt::format("a key has 1 to {} bytes", node::kKvKeyBytesMax));
        return {};
    }
    node::KvOperation operation{op, key, value, std::nullopt, nonce_of(object)};
    if (expected) operation.expected = *expected;
    return node::encode_kv(operation);
}

}  // namespace

node::KvNonce fresh_nonce() {
    static std::random_device random;
    node::KvNonce nonce;
    std::ranges::generate(nonce, [] { return static_cast<Byte>(random()); });
    return nonce;
}

Expected<Bytes, std::string> parse_operation(std::string_view line) {
    const auto value = node::parse_strict_json(line, kLineMost);
    if (!value) return Unexpected{value.error()};
    node::JsonObject object(*value, "");
    const std::string name = object.text("op", 16);
    Bytes transaction;
    if (name == "raw") {
        transaction = hex_of(object, "hex").value_or(Bytes{});
        if (transaction.empty()) object.fail("a transaction has at least one byte");
    } else if (const auto op = parse_op(name)) {
        transaction = kv_of(object, *op);
    } else {
        object.fail("op must be put, delete, cas, get or raw");
    }
    if (const auto problem = object.finish()) return Unexpected{*problem};
    return transaction;
}

Result<OperationFile> read_operations(const std::string& file) {
    std::ifstream opened;
    const auto in = open_input(file, opened);
    if (!in) return Unexpected{in.error()};
    OperationFile found;
    std::uint64_t number = 0;
    for (std::string line; std::getline(**in, line);) {
        ++number;
        if (line.empty()) continue;
        const auto too_large = [&](std::string_view what, std::size_t size, std::size_t most) {
            found.too_large.push_back(fmt::format("{}:{}: {} of {} bytes, and at most {} are taken", file,
                                                  number, what, size, most));
        };
        if (line.size() > kLineMost) {
            too_large("a line", line.size(), kLineMost);
            continue;
        }
        auto operation = parse_operation(line);
        if (!operation) return failure(kExitUsage, fmt::format("{}:{}: {}", file, number, operation.error()));
        if (operation->size() > dag::kTransactionBytesMax) {
            too_large("a transaction", operation->size(), dag::kTransactionBytesMax);
            continue;
        }
        found.operations.push_back(std::move(*operation));
        found.lines.push_back(number);
    }
    if (found.operations.empty() && found.too_large.empty()) {
        return failure(kExitUsage, fmt::format("{} holds no operations", file));
    }
    return found;
}

Result<std::istream*> open_input(const std::string& file, std::ifstream& opened) {
    if (file == "-") return &std::cin;
    // A directory can be opened, and only reading it fails.
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) {
        return failure(kExitUsage, fmt::format("cannot read {}: it is a directory", file));
    }
    opened.open(file, std::ios::binary);
    if (!opened) return failure(kExitUsage, fmt::format("cannot read {}: {}", file, std::strerror(errno)));
    return &opened;
}

}  // namespace monodon::tools
