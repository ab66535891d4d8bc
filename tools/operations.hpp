#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "net/core/bytes.hpp"
#include "node/kv_format.hpp"
#include "tools/exit_codes.hpp"

namespace monodon::tools {

/// From the system's random source.
[[nodiscard]] node::KvNonce fresh_nonce();

/// One operation of a file for `tx load`, a JSON object:
///   {"op":"put","key":"k","value":"v"}       {"op":"delete","key":"k"}        {"op":"get","key":"k"}
///   {"op":"cas","key":"k","expected":"old","value":"new"}     without "expected": the key must be absent
///   {"op":"raw","hex":"00ff"}                any bytes
/// Keys, values and expected values that are no text are given as "key_hex", "value_hex", "expected_hex".
/// Each operation gets a nonce of its own, so that the same line again is another operation; "nonce_hex" of
/// 16 bytes sets it, so that asking again is asking for the same one. The transaction, or in words what is
/// wrong.
[[nodiscard]] Expected<Bytes, std::string> parse_operation(std::string_view line);

struct OperationFile {
    std::vector<Bytes> operations;
    /// The line of each, from 1.
    std::vector<std::uint64_t> lines;
    /// What no node would take for its size, in words with the line; the others stand for themselves.
    std::vector<std::string> too_large;
};
/// All operations of a file, `-` for standard input; empty lines are passed over. A line that is no operation
/// is a failure that names it.
[[nodiscard]] Result<OperationFile> read_operations(const std::string& file);

/// Standard input for `-`, else the file, which `opened` holds. What cannot be read is a failure that says
/// why.
[[nodiscard]] Result<std::istream*> open_input(const std::string& file, std::ifstream& opened);

}  // namespace monodon::tools
