#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dag/model/committee.hpp"
#include "dag/model/types.hpp"
#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"

namespace monodon::dag {

/// One batch as a header names it, and as consensus knows it without its body. 54 bytes encoded.
struct PayloadEntry {
    Digest batch;
    /// Of the batch; usually the author of the header too (a batch can be adopted: consensus.md A9).
    ValidatorIndex author;
    WorkerId worker;
    /// The author's round when it sealed the batch; the batch lives LIFE rounds from there.
    Round sealed_round;
    /// Size of the encoded batch.
    std::uint32_t bytes = 0;
    std::uint32_t transactions = 0;
    friend auto operator<=>(const PayloadEntry&, const PayloadEntry&) = default;
};

/// The fields of a batch before its transactions.
struct BatchHead {
    Epoch epoch;
    ValidatorIndex author;
    WorkerId worker;
    /// Rises by one with each batch of this worker.
    std::uint64_t sequence = 0;
    Round sealed_round;
    /// Microseconds since the Unix epoch by the author's clock. For people; no rule reads it.
    std::uint64_t created_at = 0;
};

/// Builds a batch in the one form in which it is hashed, sent and stored, hashing while it fills.
class BatchBuilder {
 public:
    /// Bytes of an encoded batch without transactions.
    static constexpr std::size_t kHeadBytes = 8 + 2 + 4 + 8 + 8 + 8 + 4;
    static constexpr std::size_t kTransactionOverhead = 4;

    /// False, and nothing is added, if the batch would exceed kBatchBytesMax or the transaction its own
    /// limit.
    bool add(ByteView transaction);
    [[nodiscard]] bool empty() const { return transactions_ == 0; }
    [[nodiscard]] std::uint32_t transactions() const { return transactions_; }
    /// Size of the batch if it were sealed now.
    [[nodiscard]] std::size_t bytes() const { return kHeadBytes + body_.size(); }

    struct Sealed {
        PayloadEntry entry;
        SharedBytes bytes;
    };
    /// The finished batch; the builder is empty afterwards.
    [[nodiscard]] Sealed seal(const Committee& committee, const BatchHead& head);

 private:
    Bytes body_;
    std::uint32_t transactions_ = 0;
};

/// A batch that was checked: bounds, committee, epoch. Views point into the bytes given to parse().
struct BatchView {
    BatchHead head;
    std::uint32_t transactions = 0;
    ByteView body;

    /// Calls `visit(ByteView)` for each transaction in order.
    template <class Visit>
    void for_each(Visit visit) const {
        CanonicalReader reader(body);
        for (std::uint32_t at = 0; at < transactions; ++at) visit(reader.bytes(kTransactionBytesMax));
    }
};

/// Nothing unless the bytes are exactly one batch of this committee and epoch, within the limits and not
/// empty.
[[nodiscard]] std::optional<BatchView> parse_batch(const Committee& committee, ByteView bytes);
/// H("batch" | chain | the encoded batch).
[[nodiscard]] Digest batch_digest(const Committee& committee, ByteView bytes);
/// What a header says of these bytes. `view` must be parse_batch(bytes).
[[nodiscard]] PayloadEntry payload_entry(const Committee& committee, const BatchView& view, ByteView bytes);

}  // namespace monodon::dag
