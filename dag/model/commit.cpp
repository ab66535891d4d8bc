#include "dag/model/commit.hpp"

#include <limits>

namespace monodon::dag {

namespace {

constexpr std::uint32_t kAnyCount = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kSlotBytes = 8 + 2;

void write_digested(CanonicalWriter& writer, const Commit& commit) {
    writer.u64(commit.index.value()).digest(commit.previous);
    write(writer, commit.anchor);
    writer.count(commit.certificates.size());
    for (const HeaderRef& certificate : commit.certificates) write(writer, certificate);
    writer.count(commit.failed.size());
    for (const Slot& slot : commit.failed) writer.u64(slot.round.value()).u16(slot.author.value());
    writer.u64(commit.transactions).u64(commit.bytes);
}

}  // namespace

Digest commit_digest(const Committee& committee, const Commit& commit) {
    CanonicalWriter writer = committee.domain("commit");
    write_digested(writer, commit);
    return writer.hash();
}

Bytes encode(const Commit& commit) {
    CanonicalWriter writer;
    write_digested(writer, commit);
    write(writer, commit.voters);
    writer.count(commit.payload.size());
    for (const PayloadEntry& entry : commit.payload) write(writer, entry);
    writer.digest(commit.digest);
    return writer.take();
}

Expected<Commit, ObjectError> decode_commit(const Committee& committee, ByteView bytes) {
    CanonicalReader reader(bytes);
    Commit commit;
    commit.index = CommitIndex{reader.u64()};
    commit.previous = reader.digest();
    commit.anchor = read_header_ref(reader);
    for (std::uint32_t left = reader.count(kAnyCount, kHeaderRefBytes); left > 0; --left) {
        commit.certificates.push_back(read_header_ref(reader));
    }
    for (std::uint32_t left = reader.count(kAnyCount, kSlotBytes); left > 0; --left) {
        const auto round = Round{reader.u64()};
        commit.failed.push_back({round, ValidatorIndex{reader.u16()}});
    }
    commit.transactions = reader.u64();
    commit.bytes = reader.u64();
    commit.voters = read_author_set(reader);
    for (std::uint32_t left = reader.count(kAnyCount, kPayloadEntryBytes); left > 0; --left) {
        commit.payload.push_back(read_payload_entry(reader));
    }
    commit.digest = reader.digest();
    if (!reader.finished() || commit.digest != commit_digest(committee, commit)) {
        return Unexpected{ObjectError::malformed};
    }
    return commit;
}

}  // namespace monodon::dag
