#include "storage/keys.hpp"

#include <algorithm>

#include "net/core/check.hpp"

namespace monodon::storage {

namespace {

template <std::size_t N>
class KeyWriter {
 public:
    template <class T>
    KeyWriter& integer(T value) {
        for (std::size_t left = sizeof(T); left > 0; --left) {
            key_.at(at_++) = static_cast<Byte>(std::uint64_t{value} >> (8 * (left - 1)));
        }
        return *this;
    }
    KeyWriter& digest(const Digest& digest) {
        std::copy(digest.bytes.begin(), digest.bytes.end(), key_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ += digest.bytes.size();
        return *this;
    }
    [[nodiscard]] Key<N> finish() const {
        MONODON_CHECK(at_ == N);
        return key_;
    }

 private:
    Key<N> key_{};
    std::size_t at_ = 0;
};

/// Of a key whose length was checked.
class KeyReader {
 public:
    explicit KeyReader(ByteView key) : rest_(key) {}
    template <class T>
    T integer() {
        std::uint64_t value = 0;
        for (const Byte byte : rest_.first(sizeof(T))) value = value << 8 | byte;
        rest_ = rest_.subspan(sizeof(T));
        return static_cast<T>(value);
    }
    template <class T>
    T strong() {
        return T{integer<typename T::value_type>()};
    }
    Digest digest() {
        Digest digest;
        std::copy_n(rest_.begin(), digest.bytes.size(), digest.bytes.begin());
        rest_ = rest_.subspan(digest.bytes.size());
        return digest;
    }

 private:
    ByteView rest_;
};

}  // namespace

SlotKey slot_key(dag::Epoch epoch, dag::Slot slot) {
    return KeyWriter<sizeof(SlotKey)>()
        .integer(epoch.value())
        .integer(slot.round.value())
        .integer(slot.author.value())
        .finish();
}

AuthorRoundKey author_round_key(dag::Epoch epoch, dag::Slot slot) {
    return KeyWriter<sizeof(AuthorRoundKey)>()
        .integer(epoch.value())
        .integer(slot.author.value())
        .integer(slot.round.value())
        .finish();
}

AuthorKey author_key(dag::Epoch epoch, dag::ValidatorIndex author) {
    return KeyWriter<sizeof(AuthorKey)>().integer(epoch.value()).integer(author.value()).finish();
}

EpochKey epoch_key(dag::Epoch epoch) { return KeyWriter<sizeof(EpochKey)>().integer(epoch.value()).finish(); }

IndexKey index_key(dag::CommitIndex index) {
    return KeyWriter<sizeof(IndexKey)>().integer(index.value()).finish();
}

BatchAuthorKey batch_author_key(dag::Epoch epoch, dag::ValidatorIndex author, dag::WorkerId worker,
                                std::uint64_t sequence, const Digest& batch) {
    return KeyWriter<sizeof(BatchAuthorKey)>()
        .integer(epoch.value())
        .integer(author.value())
        .integer(worker.value())
        .integer(sequence)
        .digest(batch)
        .finish();
}

RoundKey round_key(dag::Epoch epoch, dag::Round round) {
    return KeyWriter<sizeof(RoundKey)>().integer(epoch.value()).integer(round.value()).finish();
}

ReferenceKey reference_key(const Digest& batch, const EpochSlot& certificate) {
    return KeyWriter<sizeof(ReferenceKey)>()
        .digest(batch)
        .integer(certificate.epoch.value())
        .integer(certificate.slot.round.value())
        .integer(certificate.slot.author.value())
        .finish();
}

std::optional<EpochSlot> read_slot_key(ByteView key) {
    if (key.size() != sizeof(SlotKey)) return std::nullopt;
    KeyReader reader(key);
    EpochSlot read;
    read.epoch = reader.strong<dag::Epoch>();
    read.slot.round = reader.strong<dag::Round>();
    read.slot.author = reader.strong<dag::ValidatorIndex>();
    return read;
}

std::optional<EpochSlot> read_author_round_key(ByteView key) {
    if (key.size() != sizeof(AuthorRoundKey)) return std::nullopt;
    KeyReader reader(key);
    EpochSlot read;
    read.epoch = reader.strong<dag::Epoch>();
    read.slot.author = reader.strong<dag::ValidatorIndex>();
    read.slot.round = reader.strong<dag::Round>();
    return read;
}

std::optional<dag::CommitIndex> read_index_key(ByteView key) {
    if (key.size() != sizeof(IndexKey)) return std::nullopt;
    return KeyReader(key).strong<dag::CommitIndex>();
}

std::optional<Digest> read_digest(ByteView bytes) {
    if (bytes.size() != sizeof(Digest)) return std::nullopt;
    return KeyReader(bytes).digest();
}

std::optional<BatchAuthor> read_batch_author_key(ByteView key) {
    if (key.size() != sizeof(BatchAuthorKey)) return std::nullopt;
    KeyReader reader(key);
    BatchAuthor read;
    read.epoch = reader.strong<dag::Epoch>();
    read.author = reader.strong<dag::ValidatorIndex>();
    read.worker = reader.strong<dag::WorkerId>();
    read.sequence = reader.integer<std::uint64_t>();
    read.batch = reader.digest();
    return read;
}

std::optional<EpochRound> read_round_key(ByteView key) {
    if (key.size() != sizeof(RoundKey)) return std::nullopt;
    KeyReader reader(key);
    EpochRound read;
    read.epoch = reader.strong<dag::Epoch>();
    read.round = reader.strong<dag::Round>();
    return read;
}

std::optional<Reference> read_reference_key(ByteView key) {
    if (key.size() != sizeof(ReferenceKey)) return std::nullopt;
    KeyReader reader(key);
    Reference read;
    read.batch = reader.digest();
    read.at.epoch = reader.strong<dag::Epoch>();
    read.at.slot.round = reader.strong<dag::Round>();
    read.at.slot.author = reader.strong<dag::ValidatorIndex>();
    return read;
}

}  // namespace monodon::storage
