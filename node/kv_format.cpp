#include "node/kv_format.hpp"

#include <algorithm>

#include "dag/model/types.hpp"
#include "net/core/canonical.hpp"
#include "net/core/check.hpp"

namespace monodon::node {

bool is_kv(ByteView transaction) {
    const ByteView prefix = as_bytes(kKvPrefix);
    return transaction.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), transaction.begin());
}

std::optional<KvOperation> parse_kv(ByteView transaction) {
    if (!is_kv(transaction)) return std::nullopt;
    CanonicalReader reader(transaction.subspan(kKvPrefix.size()));
    const std::uint8_t op = reader.u8();
    if (op < static_cast<std::uint8_t>(KvOp::put) || op > static_cast<std::uint8_t>(KvOp::get)) {
        return std::nullopt;
    }
    KvOperation operation;
    operation.op = static_cast<KvOp>(op);
    const ByteView nonce = reader.fixed(operation.nonce.size());
    std::ranges::copy(nonce, operation.nonce.begin());
    operation.key = reader.bytes(kKvKeyBytesMax);
    if (operation.op == KvOp::compare_and_set) {
        const std::uint8_t has_expected = reader.u8();
        const ByteView expected = reader.bytes(dag::kTransactionBytesMax);
        // One encoding for "must be absent".
        if (has_expected > 1 || (has_expected == 0 && !expected.empty())) return std::nullopt;
        if (has_expected == 1) operation.expected = expected;
    }
    if (operation.op == KvOp::put || operation.op == KvOp::compare_and_set) {
        operation.value = reader.bytes(dag::kTransactionBytesMax);
    }
    if (!reader.finished() || operation.key.empty()) return std::nullopt;
    return operation;
}

Bytes encode_kv(const KvOperation& operation) {
    MONODON_CHECK(!operation.key.empty() && operation.key.size() <= kKvKeyBytesMax);
    CanonicalWriter writer;
    writer.reserve(kKvPrefix.size() + 1 + operation.nonce.size() + 4 + operation.key.size() + 1 + 4 +
                   (operation.expected ? operation.expected->size() : 0) + 4 + operation.value.size());
    writer.fixed(as_bytes(kKvPrefix)).u8(static_cast<std::uint8_t>(operation.op));
    writer.fixed(operation.nonce).bytes(operation.key);
    if (operation.op == KvOp::compare_and_set) {
        writer.u8(operation.expected ? 1 : 0).bytes(operation.expected.value_or(ByteView{}));
    }
    if (operation.op == KvOp::put || operation.op == KvOp::compare_and_set) writer.bytes(operation.value);
    return writer.take();
}

}  // namespace monodon::node
