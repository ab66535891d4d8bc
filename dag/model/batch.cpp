#include "dag/model/batch.hpp"

#include "net/core/check.hpp"

namespace monodon::dag {

static_assert(kBatchBytesMax >=
                  BatchBuilder::kHeadBytes + BatchBuilder::kTransactionOverhead + kTransactionBytesMax,
              "the largest transaction must fit into a batch of its own");

bool BatchBuilder::add(ByteView transaction) {
    if (transaction.size() > kTransactionBytesMax) return false;
    if (bytes() + kTransactionOverhead + transaction.size() > kBatchBytesMax) return false;
    const auto size = static_cast<std::uint32_t>(transaction.size());
    for (unsigned shift = 0; shift < 32; shift += 8) body_.push_back(static_cast<Byte>(size >> shift));
    body_.insert(body_.end(), transaction.begin(), transaction.end());
    ++transactions_;
    return true;
}

BatchBuilder::Sealed BatchBuilder::seal(const Committee& committee, const BatchHead& head) {
    CanonicalWriter writer;
    writer.reserve(bytes());
    writer.u64(head.epoch.value()).u16(head.author.value()).u32(head.worker.value()).u64(head.sequence);
    writer.u64(head.sealed_round.value()).u64(head.created_at).count(transactions_).fixed(body_);
    auto encoded = std::make_shared<const Bytes>(writer.take());
    MONODON_CHECK(encoded->size() == bytes());
    Sealed sealed{{batch_digest(committee, *encoded), head.author, head.worker, head.sealed_round,
                   static_cast<std::uint32_t>(encoded->size()), transactions_},
                  std::move(encoded)};
    body_.clear();
    transactions_ = 0;
    return sealed;
}

std::optional<BatchView> parse_batch(const Committee& committee, ByteView bytes) {
    if (bytes.size() > kBatchBytesMax) return std::nullopt;
    CanonicalReader reader(bytes);
    BatchView view;
    view.head.epoch = Epoch{reader.u64()};
    view.head.author = ValidatorIndex{reader.u16()};
    view.head.worker = WorkerId{reader.u32()};
    view.head.sequence = reader.u64();
    view.head.sealed_round = Round{reader.u64()};
    view.head.created_at = reader.u64();
    view.transactions = reader.count(kBatchBytesMax, BatchBuilder::kTransactionOverhead);
    if (!reader.ok() || view.transactions == 0) return std::nullopt;
    if (view.head.epoch != committee.epoch() || !committee.contains(view.head.author)) return std::nullopt;
    view.body = bytes.subspan(BatchBuilder::kHeadBytes);
    for (std::uint32_t at = 0; at < view.transactions; ++at) (void)reader.bytes(kTransactionBytesMax);
    if (!reader.finished()) return std::nullopt;
    return view;
}

Digest batch_digest(const Committee& committee, ByteView bytes) {
    thread_local Sha256 hasher;
    const Bytes prefix = CanonicalWriter("batch").text(committee.chain()).take();
    hasher.update(prefix);
    hasher.update(bytes);
    return hasher.finish();
}

PayloadEntry payload_entry(const Committee& committee, const BatchView& view, ByteView bytes) {
    return {
        batch_digest(committee, bytes),           view.head.author, view.head.worker, view.head.sealed_round,
        static_cast<std::uint32_t>(bytes.size()), view.transactions};
}

}  // namespace monodon::dag
