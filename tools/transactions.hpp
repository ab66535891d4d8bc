#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "net/core/bytes.hpp"
#include "node/kv_format.hpp"
#include "node/receipts.hpp"
#include "tools/ask.hpp"
#include "tools/output.hpp"

namespace monodon::tools {

struct SubmitOptions {
    Where where;
    /// A file, `-` for standard input; empty if `operation` is given.
    std::string file;
    /// `put KEY VALUE`, `delete KEY`, `get KEY`, `cas KEY EXPECTED VALUE` (EXPECTED `-` for absent).
    std::vector<std::string> operation;
    /// Of the operation, 32 hexadecimal digits; empty: a fresh one.
    std::string nonce;
    node::Stage wait = node::Stage::committed;
    std::chrono::milliseconds timeout = std::chrono::seconds(10);
    Form form = Form::table;
};
/// `monodon tx submit`: one transaction, and its receipt. Exit code 5 if it is pending when the time is up.
int submit(const SubmitOptions& options);

struct ReceiptOptions {
    Where where;
    std::string id;
    Form form = Form::table;
};
/// `monodon tx get`: what one node knows of a transaction.
int receipt(const ReceiptOptions& options);

/// A receipt in one line, for people.
[[nodiscard]] std::string receipt_line(const boost::json::object& receipt);
/// The transaction of an operation in words, as SubmitOptions has it.
[[nodiscard]] Result<Bytes> operation_bytes(const std::vector<std::string>& words,
                                            const node::KvNonce& nonce);

}  // namespace monodon::tools
