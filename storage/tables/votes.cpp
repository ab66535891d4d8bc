#include "storage/tables/votes.hpp"

#include <algorithm>

#include "net/core/check.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"

namespace monodon::storage {

namespace {

/// A header begins with its epoch and its round, both as 64 bits: what put() compares without decoding the
/// rest.
dag::Round round_of_encoded_header(ByteView encoded) {
    CanonicalReader reader(encoded);
    (void)reader.u64();
    const dag::Round round{reader.u64()};
    MONODON_CHECK(reader.ok());
    return round;
}

}  // namespace

Result<void> VoteTable::put(lmdb::WriteTransaction& transaction, const dag::Vote& vote) const {
    const AuthorKey key = author_key(vote.epoch, vote.author);
    auto row = get_record(transaction, table_, key);
    if (!row) return Unexpected{row.error()};
    if (*row) {
        const auto last = dag::decode_vote(**row);
        if (!last) return damaged_row(kName, key);
        MONODON_CHECK(vote.round >= last->round);
        MONODON_CHECK(vote.round > last->round || vote.header == last->header);
    }
    return put_record(transaction, table_, key, encode(vote));
}

Result<std::vector<dag::Vote>> VoteTable::all(const lmdb::Transaction& transaction, dag::Epoch epoch) const {
    auto cursor = transaction.cursor(table_);
    if (!cursor) return Unexpected{cursor.error()};
    std::vector<dag::Vote> votes;
    const EpochKey prefix = epoch_key(epoch);
    auto row = cursor->at_or_after(prefix);
    for (; row && *row; row = cursor->next()) {
        const lmdb::Row found = **row;
        if (found.key.size() != sizeof(AuthorKey)) return damaged_row(kName, found.key);
        if (!std::equal(prefix.begin(), prefix.end(), found.key.begin())) break;
        const auto payload = open_record(found.key, found.value);
        if (!payload) return damaged_row(kName, found.key);
        auto vote = dag::decode_vote(*payload);
        if (!vote || !std::ranges::equal(author_key(vote->epoch, vote->author), found.key)) {
            return damaged_row(kName, found.key);
        }
        votes.push_back(*vote);
    }
    if (!row) return Unexpected{row.error()};
    return votes;
}

Result<void> OwnHeaderTable::put(lmdb::WriteTransaction& transaction, const dag::Header& header) const {
    const EpochKey key = epoch_key(header.epoch);
    const Bytes encoded = encode(header);
    auto row = get_record(transaction, table_, key);
    if (!row) return Unexpected{row.error()};
    if (*row) {
        const dag::Round last = round_of_encoded_header(**row);
        MONODON_CHECK(header.round >= last);
        MONODON_CHECK(header.round > last || std::ranges::equal(encoded, **row));
    }
    return put_record(transaction, table_, key, encoded);
}

Result<std::optional<dag::VerifiedHeader>> OwnHeaderTable::find(const lmdb::Transaction& transaction,
                                                                const dag::Committee& committee) const {
    const EpochKey key = epoch_key(committee.epoch());
    auto row = get_record(transaction, table_, key);
    if (!row) return Unexpected{row.error()};
    if (!*row) return std::optional<dag::VerifiedHeader>();
    auto header = dag::decode_header(committee, **row);
    if (!header || header->epoch != committee.epoch()) return damaged_row(kName, key);
    return std::optional(dag::Verification::trusted(std::move(*header)));
}

}  // namespace monodon::storage
