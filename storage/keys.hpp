#pragma once

#include <array>

#include "dag/model/header.hpp"

/// The one place where types become keys. Integers are big-endian, so that LMDB's bytewise order is theirs,
/// and everything that counts in rounds begins with the epoch.
namespace monodon::storage {

template <std::size_t N>
using Key = std::array<Byte, N>;

/// epoch, round, author
using SlotKey = Key<8 + 8 + 2>;
/// epoch, author, round
using AuthorRoundKey = Key<8 + 2 + 8>;
/// epoch, author
using AuthorKey = Key<8 + 2>;
/// epoch
using EpochKey = Key<8>;
/// commit index
using IndexKey = Key<8>;
/// epoch, author, worker, sequence, digest
using BatchAuthorKey = Key<8 + 2 + 4 + 8 + 32>;

/// epoch, round
using RoundKey = Key<8 + 8>;
/// batch digest, epoch, round, author
using ReferenceKey = Key<32 + 8 + 8 + 2>;

[[nodiscard]] SlotKey slot_key(dag::Epoch epoch, dag::Slot slot);
[[nodiscard]] AuthorRoundKey author_round_key(dag::Epoch epoch, dag::Slot slot);
[[nodiscard]] AuthorKey author_key(dag::Epoch epoch, dag::ValidatorIndex author);
[[nodiscard]] EpochKey epoch_key(dag::Epoch epoch);
[[nodiscard]] IndexKey index_key(dag::CommitIndex index);
[[nodiscard]] BatchAuthorKey batch_author_key(dag::Epoch epoch, dag::ValidatorIndex author,
                                              dag::WorkerId worker, std::uint64_t sequence,
                                              const Digest& batch);

struct EpochSlot {
    dag::Epoch epoch;
    dag::Slot slot;
    friend constexpr auto operator<=>(const EpochSlot&, const EpochSlot&) = default;
};
[[nodiscard]] RoundKey round_key(dag::Epoch epoch, dag::Round round);
[[nodiscard]] ReferenceKey reference_key(const Digest& batch, const EpochSlot& certificate);

/// Nothing if the key has another length.
[[nodiscard]] std::optional<EpochSlot> read_slot_key(ByteView key);
[[nodiscard]] std::optional<EpochSlot> read_author_round_key(ByteView key);
[[nodiscard]] std::optional<dag::CommitIndex> read_index_key(ByteView key);
[[nodiscard]] std::optional<Digest> read_digest(ByteView bytes);

struct BatchAuthor {
    dag::Epoch epoch;
    dag::ValidatorIndex author;
    dag::WorkerId worker;
    std::uint64_t sequence = 0;
    Digest batch;
};
[[nodiscard]] std::optional<BatchAuthor> read_batch_author_key(ByteView key);

struct EpochRound {
    dag::Epoch epoch;
    dag::Round round;
};
[[nodiscard]] std::optional<EpochRound> read_round_key(ByteView key);

struct Reference {
    Digest batch;
    EpochSlot at;
};
[[nodiscard]] std::optional<Reference> read_reference_key(ByteView key);

}  // namespace monodon::storage
