#include "net/core/bytes.hpp"

#include <algorithm>

namespace monodon {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kBase58TextMax = 128;

std::optional<unsigned> hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A') + 10;
    return std::nullopt;
}

/// Reads digits of base `from` and returns digits of base `to`, least significant first.
std::vector<unsigned> convert_base(const std::vector<unsigned>& digits, unsigned from, unsigned to) {
    std::vector<unsigned> result;
    for (unsigned digit : digits) {
        unsigned carry = digit;
        for (unsigned& value : result) {
            carry += value * from;
            value = carry % to;
            carry /= to;
        }
        for (; carry > 0; carry /= to) result.push_back(carry % to);
    }
    return result;
}

}  // namespace

std::string to_hex(ByteView bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (Byte byte : bytes) {
        text.push_back(kHexDigits[byte >> 4U]);
        text.push_back(kHexDigits[byte & 15U]);
    }
    return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const auto high = hex_value(text[at]);
        const auto low = hex_value(text[at + 1]);
        if (!high || !low) return std::nullopt;
        bytes.push_back(static_cast<Byte>(*high * 16 + *low));
    }
    return bytes;
}

std::string to_base58(ByteView bytes) {
    const auto zeros = std::find_if(bytes.begin(), bytes.end(), [](Byte byte) { return byte != 0; });
    std::string text(static_cast<std::size_t>(zeros - bytes.begin()), kBase58Digits[0]);
    const auto digits = convert_base({zeros, bytes.end()}, 256, 58);
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) text.push_back(kBase58Digits[*digit]);
    return text;
}

std::optional<Bytes> from_base58(std::string_view text) {
    if (text.size() > kBase58TextMax) return std::nullopt;
    const auto first = std::min(text.find_first_not_of(kBase58Digits[0]), text.size());
    std::vector<unsigned> digits;
    for (char letter : text.substr(first)) {
        const auto at = kBase58Digits.find(letter);
        if (at == std::string_view::npos) return std::nullopt;
        digits.push_back(static_cast<unsigned>(at));
    }
    Bytes bytes(first, 0);
    const auto values = convert_base(digits, 58, 256);
    for (auto value = values.rbegin(); value != values.rend(); ++value) {
        bytes.push_back(static_cast<Byte>(*value));
    }
    return bytes;
}

}  // namespace monodon
