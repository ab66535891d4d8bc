#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "net/core/digest.hpp"

namespace monodon::node {

/// Where a transaction is: in which batch record, and where in it.
struct TransactionPlace {
    std::uint32_t batch = 0;
    std::uint32_t position = 0;
};

/// Finds transactions by id in 8 bytes a slot, at most half of them used: the ids themselves lie with the
/// batches, and the caller's `id_of(TransactionPlace) -> const Digest&` gives them. Open addressing with
/// linear probing; the hash is keyed by a secret of the process, so that nobody can make ids that collide.
/// Not for concurrent use.
class TransactionIndex {
 public:
    /// `seed` is secret.
    explicit TransactionIndex(std::uint64_t seed) : seed_(seed), slots_(kSlotsMin, kEmpty) {}

    [[nodiscard]] std::size_t size() const { return size_; }

    template <class IdOf>
    [[nodiscard]] std::optional<TransactionPlace> find(const Digest& id, IdOf id_of) const {
        for (std::size_t slot = home(id);; slot = after(slot)) {
            if (empty(slot)) return std::nullopt;
            if (id_of(slots_[slot]) == id) return slots_[slot];
        }
    }

    /// The id must not be there. `id_of(place)` need not know it yet.
    template <class IdOf>
    void insert(const Digest& id, TransactionPlace place, IdOf id_of) {
        if (2 * (size_ + 1) > slots_.size()) grow(id_of);
        put(id, place);
        ++size_;
    }

    /// Nothing happens if the id is not there, or is somewhere else.
    template <class IdOf>
    void erase(const Digest& id, TransactionPlace place, IdOf id_of) {
        std::size_t hole = home(id);
        for (;; hole = after(hole)) {
            if (empty(hole)) return;
            if (slots_[hole].batch == place.batch && slots_[hole].position == place.position) break;
        }
        --size_;
        // Close the gap: move back every later one of the run that may lie in the hole.
        for (std::size_t slot = after(hole); !empty(slot); slot = after(slot)) {
            const std::size_t wanted = home(id_of(slots_[slot]));
            if (((slot - wanted) & mask()) < ((slot - hole) & mask())) continue;
            slots_[hole] = slots_[slot];
            hole = slot;
        }
        slots_[hole] = kEmpty;
    }

 private:
    static constexpr std::size_t kSlotsMin = 1024;
    static constexpr TransactionPlace kEmpty{0xffffffff, 0xffffffff};

    [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
    [[nodiscard]] std::size_t after(std::size_t slot) const { return (slot + 1) & mask(); }
    [[nodiscard]] bool empty(std::size_t slot) const { return slots_[slot].batch == kEmpty.batch; }

    [[nodiscard]] std::size_t home(const Digest& id) const {
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        std::memcpy(&low, id.bytes.data(), sizeof low);
        std::memcpy(&high, id.bytes.data() + sizeof low, sizeof high);
        // A product of 128 bits folded: any bit of either half reaches the lowest bits.
        __extension__ using Wide = unsigned __int128;
        const Wide product = static_cast<Wide>(low ^ seed_) * (high ^ (seed_ * 0x9e3779b97f4a7c15));
        return static_cast<std::size_t>(static_cast<std::uint64_t>(product) ^
                                        static_cast<std::uint64_t>(product >> 64)) &
               mask();
    }

    void put(const Digest& id, TransactionPlace place) {
        std::size_t slot = home(id);
        while (!empty(slot)) slot = after(slot);
        slots_[slot] = place;
    }

    template <class IdOf>
    void grow(IdOf id_of) {
        std::vector<TransactionPlace> old(2 * slots_.size(), kEmpty);
        old.swap(slots_);
        for (const TransactionPlace& place : old) {
            if (place.batch != kEmpty.batch) put(id_of(place), place);
        }
    }

    std::uint64_t seed_;
    std::vector<TransactionPlace> slots_;
    std::size_t size_ = 0;
};

}  // namespace monodon::node
