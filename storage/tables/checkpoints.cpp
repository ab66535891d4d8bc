#include "storage/tables/checkpoints.hpp"

#include <algorithm>

#include "storage/keys.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

namespace {

constexpr std::size_t kSegmentBytes = 8 + 8 + 4 + 4 + sizeof(ContentId);
/// LMDB keeps values of this size and less well; more segments than fit are never made.
constexpr std::uint32_t kSegmentsMax = 1500;

void write(CanonicalWriter& writer, const dag::CommitClaim& claim) {
    writer.u64(claim.index.value()).digest(claim.digest);
}

dag::CommitClaim read_claim(CanonicalReader& reader) {
    const auto index = dag::CommitIndex{reader.u64()};
    return {index, reader.digest()};
}

ContentId read_content_id(CanonicalReader& reader) {
    ContentId id;
    const ByteView raw = reader.fixed(id.bytes.size());
    std::copy(raw.begin(), raw.end(), id.bytes.begin());
    return id;
}

Bytes encode(const LocalCheckpoint& checkpoint) {
    CanonicalWriter writer;
    writer.u64(checkpoint.epoch.value()).u64(checkpoint.round.value());
    write(writer, checkpoint.last);
    writer.u64(checkpoint.graph_floor.value()).u64(checkpoint.highest_round.value());
    writer.u64(checkpoint.certificates).u64(checkpoint.created_at);
    MONODON_CHECK(checkpoint.segments.size() <= kSegmentsMax);
    writer.count(checkpoint.segments.size());
    for (const CheckpointSegment& segment : checkpoint.segments) {
        writer.u64(segment.first.value()).u64(segment.last.value());
        writer.u32(segment.certificates).u32(segment.plain_bytes).fixed(segment.file.bytes);
    }
    return writer.take();
}

Bytes encode(const StoredConsensusState& state) {
    CanonicalWriter writer;
    write(writer, state.last);
    dag::write(writer, state.anchor);
    writer.u64(state.graph_floor.value()).digest(state.digest).u32(state.plain_bytes);
    writer.fixed(state.file.bytes);
    return writer.take();
}

Bytes encode(const QuorumCheckpoint& checkpoint) {
    CanonicalWriter writer;
    write(writer, checkpoint.claim);
    writer.digest(checkpoint.consensus_state);
    dag::write(writer, checkpoint.signers);
    writer.count(checkpoint.signatures.size());
    for (const Signature& signature : checkpoint.signatures) writer.fixed(signature.bytes);
    return writer.take();
}

/// The object of a row, if there is one; `damaged` if it does not decode.
template <class T, class Read>
Result<std::optional<T>> find_row(const lmdb::Transaction& transaction, lmdb::Table table, const char* name,
                                  ByteView key, Read read) {
    auto row = get_record(transaction, table, key);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<T>();
    std::optional<T> object = read(**row);
    if (!object) return damaged_row(name, key);
    return object;
}

}  // namespace

Result<void> CheckpointTables::put(lmdb::WriteTransaction& transaction, const LocalCheckpoint& checkpoint,
                                   const StoredConsensusState& state) const {
    const auto key = round_key(checkpoint.epoch, checkpoint.round);
    if (auto put = put_record(transaction, local_, key, encode(checkpoint)); !put) return put;
    return put_record(transaction, states_, index_key(state.last.index), encode(state));
}

Result<std::optional<LocalCheckpoint>> CheckpointTables::find(const lmdb::Transaction& transaction,
                                                              dag::Epoch epoch, dag::Round round) const {
    return find_row<LocalCheckpoint>(transaction, local_, kLocalName, round_key(epoch, round), read_local);
}

Result<std::vector<dag::Round>> CheckpointTables::rounds(const lmdb::Transaction& transaction,
                                                         dag::Epoch epoch) const {
    auto cursor = transaction.cursor(local_);
    if (!cursor) return Unexpected{cursor.error()};
    std::vector<dag::Round> rounds;
    auto row = cursor->at_or_after(epoch_key(epoch));
    for (; row && *row; row = cursor->next()) {
        const auto at = read_round_key((*row)->key);
        if (at && at->epoch != epoch) break;
        if (at) rounds.push_back(at->round);
    }
    if (!row) return Unexpected{row.error()};
    return rounds;
}

Result<std::optional<StoredConsensusState>> CheckpointTables::state(const lmdb::Transaction& transaction,
                                                                    dag::CommitIndex index) const {
    return find_row<StoredConsensusState>(transaction, states_, kStateName, index_key(index), read_state);
}

Result<std::size_t> CheckpointTables::prune(lmdb::WriteTransaction& transaction, dag::Epoch epoch,
                                            std::size_t keep) const {
    auto known = rounds(transaction, epoch);
    if (!known) return Unexpected{known.error()};
    if (known->size() <= keep) return std::size_t{0};
    const std::size_t leaving = known->size() - keep;
    for (std::size_t at = 0; at < leaving; ++at) {
        auto erased = transaction.erase(local_, round_key(epoch, (*known)[at]));
        if (!erased) return Unexpected{erased.error()};
    }
    // A state belongs to the checkpoint of its anchor; older ones have no use.
    if (keep == 0) return leaving;
    auto oldest = find(transaction, epoch, (*known)[leaving]);
    if (!oldest || !*oldest) return leaving;
    auto cursor = transaction.cursor(states_);
    if (!cursor) return Unexpected{cursor.error()};
    auto row = cursor->first();
    for (; row && *row; row = cursor->first()) {
        const auto index = read_index_key((*row)->key);
        if (index && *index >= (*oldest)->last.index) break;
        if (auto erased = cursor->erase(); !erased) return Unexpected{erased.error()};
    }
    if (!row) return Unexpected{row.error()};
    return leaving;
}

Result<void> CheckpointTables::put(lmdb::WriteTransaction& transaction,
                                   const QuorumCheckpoint& checkpoint) const {
    return put_record(transaction, quorum_, index_key(checkpoint.claim.index), encode(checkpoint));
}

Result<std::optional<QuorumCheckpoint>> CheckpointTables::quorum(const lmdb::Transaction& transaction,
                                                                 dag::CommitIndex index) const {
    return find_row<QuorumCheckpoint>(transaction, quorum_, kQuorumName, index_key(index), read_quorum);
}

Result<std::optional<QuorumCheckpoint>> CheckpointTables::latest_quorum(
    const lmdb::Transaction& transaction) const {
    auto cursor = transaction.cursor(quorum_);
    if (!cursor) return Unexpected{cursor.error()};
    auto row = cursor->last();
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<QuorumCheckpoint>();
    const auto payload = open_record((*row)->key, (*row)->value);
    auto checkpoint = payload ? read_quorum(*payload) : std::nullopt;
    if (!checkpoint) return damaged_row(kQuorumName, (*row)->key);
    return checkpoint;
}

Result<std::size_t> CheckpointTables::prune_quorum(lmdb::WriteTransaction& transaction,
                                                   dag::CommitIndex below, std::size_t most) const {
    auto cursor = transaction.cursor(quorum_);
    if (!cursor) return Unexpected{cursor.error()};
    std::size_t removed = 0;
    auto row = cursor->first();
    for (; row && *row && removed < most; row = cursor->first(), ++removed) {
        const auto index = read_index_key((*row)->key);
        if (index && *index >= below) break;
        if (auto erased = cursor->erase(); !erased) return Unexpected{erased.error()};
    }
    if (!row) return Unexpected{row.error()};
    return removed;
}

std::optional<LocalCheckpoint> CheckpointTables::read_local(ByteView payload) {
    CanonicalReader reader(payload);
    LocalCheckpoint checkpoint;
    checkpoint.epoch = dag::Epoch{reader.u64()};
    checkpoint.round = dag::Round{reader.u64()};
    checkpoint.last = read_claim(reader);
    checkpoint.graph_floor = dag::Round{reader.u64()};
    checkpoint.highest_round = dag::Round{reader.u64()};
    checkpoint.certificates = reader.u64();
    checkpoint.created_at = reader.u64();
    for (std::uint32_t left = reader.count(kSegmentsMax, kSegmentBytes); left > 0; --left) {
        CheckpointSegment segment;
        segment.first = dag::Round{reader.u64()};
        segment.last = dag::Round{reader.u64()};
        segment.certificates = reader.u32();
        segment.plain_bytes = reader.u32();
        segment.file = read_content_id(reader);
        checkpoint.segments.push_back(segment);
    }
    if (!reader.finished()) return std::nullopt;
    return checkpoint;
}

std::optional<StoredConsensusState> CheckpointTables::read_state(ByteView payload) {
    CanonicalReader reader(payload);
    StoredConsensusState state;
    state.last = read_claim(reader);
    state.anchor = dag::read_header_ref(reader);
    state.graph_floor = dag::Round{reader.u64()};
    state.digest = reader.digest();
    state.plain_bytes = reader.u32();
    state.file = read_content_id(reader);
    if (!reader.finished()) return std::nullopt;
    return state;
}

std::optional<QuorumCheckpoint> CheckpointTables::read_quorum(ByteView payload) {
    CanonicalReader reader(payload);
    QuorumCheckpoint checkpoint;
    checkpoint.claim = read_claim(reader);
    checkpoint.consensus_state = reader.digest();
    checkpoint.signers = dag::read_author_set(reader);
    for (std::uint32_t left = reader.count(dag::kCommitteeMax, sizeof(Signature::bytes)); left > 0; --left) {
        Signature signature;
        const ByteView raw = reader.fixed(signature.bytes.size());
        std::copy(raw.begin(), raw.end(), signature.bytes.begin());
        checkpoint.signatures.push_back(signature);
    }
    if (!reader.finished()) return std::nullopt;
    return checkpoint;
}

}  // namespace monodon::storage
