#include "storage/batch_store.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "net/core/check.hpp"
#include "storage/batch_cache.hpp"
#include "storage/damage.hpp"
#include "storage/generations.hpp"
#include "storage/group_writer.hpp"
#include "storage/unreferenced.hpp"

namespace monodon::storage {

namespace {

constexpr std::size_t kBatchGroupBytesMax = std::size_t{8} << 20;
constexpr std::size_t kPageBytes = 4096;
/// Pages of the two trees that a batch can have copied, were it alone in its transaction.
constexpr std::size_t kCopiedBytesPerBatch = 32 * 1024;
/// Branch pages, list of free pages.
constexpr std::size_t kTreeBytes = std::size_t{1} << 20;

/// How far a generation grows for batches that are named: more than any disk, within the address space.
constexpr std::size_t kMapCeiling = std::size_t{16} << 40;

/// What a batch makes new: pages of its own, or its share of leaves that are half full; and a row by author.
std::size_t new_bytes(std::size_t bytes) { return bytes + std::min(2 * kPageBytes, 3 * bytes); }

std::uint64_t generation_of(dag::Round sealed) { return sealed.value() / kGenerationRounds; }
dag::Round last_round_of(std::uint64_t generation) {
    return dag::Round{generation * kGenerationRounds + (kGenerationRounds - 1)};
}

struct BatchWrite {
    dag::PayloadEntry entry;
    SharedBytes batch;
    /// This write made the author's count rise.
    bool charged = false;
    std::function<void()> durable;
    std::size_t bytes = 0;
    /// It is durable; the rest of its group may still wait for room.
    bool stored = false;
};

/// How many bytes are used of each generation that was written in this life. Thread-safe.
class FillLevels {
 public:
    void set(std::uint64_t generation, std::uint64_t bytes) {
        const std::lock_guard lock(mutex_);
        bytes_[generation] = bytes;
    }
    [[nodiscard]] std::uint64_t of(std::uint64_t generation) const {
        const std::lock_guard lock(mutex_);
        const auto found = bytes_.find(generation);
        return found == bytes_.end() ? 0 : found->second;
    }
    void forget(std::uint64_t generation) {
        const std::lock_guard lock(mutex_);
        bytes_.erase(generation);
    }

 private:
    mutable std::mutex mutex_;
    std::map<std::uint64_t, std::uint64_t> bytes_;
};

lmdb::EnvironmentOptions growing(lmdb::EnvironmentOptions options) {
    options.map_limit = std::max(options.map_limit, kMapCeiling);
    return options;
}

}  // namespace

std::string_view describe(PutError error) {
    switch (error) {
        case PutError::too_far_ahead:
            return "sealed too far ahead";
        case PutError::too_old:
            return "sealed too long ago";
        case PutError::author_full:
            return "too many unordered batches of this author";
        case PutError::busy:
            return "the disk is behind";
    }
    MONODON_CHECK(false);
}

class BatchStore::State {
 public:
    State(BatchOptions options, std::unique_ptr<Generations> generations)
        : options_(std::move(options)),
          generations_(std::move(generations)),
          cache_(options_.cache_bytes),
          unreferenced_(options_.unreferenced_bytes_max),
          writer_({"batches", options_.retry_after, kBatchGroupBytesMax},
                  {[this](std::span<BatchWrite> group) { return write_group(group); },
                   []() -> Result<bool> { return false; }, options_.fatal}) {}

    Expected<void, PutError> put(const dag::PayloadEntry& entry, SharedBytes bytes, Standing standing,
                                 std::function<void()> durable) {
        if (removable(generation_of(entry.sealed_round), floor())) return Unexpected{PutError::too_old};
        if (entry.sealed_round > above(highest(), options_.ahead)) return Unexpected{PutError::too_far_ahead};
        BatchWrite write{entry, std::move(bytes), false, std::move(durable), entry.bytes + kBatchOverhead};
        if (standing == Standing::offered) {
            if (entry.sealed_round < below(highest(), options_.life)) return Unexpected{PutError::too_old};
            if (sizes_.of(generation_of(entry.sealed_round)) >= options_.environment.map_limit)
                return Unexpected{PutError::busy};
            const auto charge = unreferenced_.charge(entry);
            if (charge == Unreferenced::Charge::refused) return Unexpected{PutError::author_full};
            write.charged = charge == Unreferenced::Charge::charged;
        }
        const bool charged = write.charged;
        if (writer_.push(std::move(write), options_.queue_bytes_max)) return {};
        if (charged) unreferenced_.release(entry);
        return Unexpected{PutError::busy};
    }

    [[nodiscard]] SharedBytes get(const Digest& digest, std::span<const std::uint64_t> generations) {
        if (SharedBytes cached = cache_.batch(digest)) return cached;
        std::optional<std::uint64_t> damaged;
        for (const std::uint64_t generation : generations) {
            const auto read = [&](const BatchTable& table, const lmdb::Transaction& transaction) {
                auto body = table.body(transaction, digest);
                if (!body) damaged = generation;
                return body;
            };
            SharedBytes found = search<SharedBytes>(std::span(&generation, 1), read);
            if (found) return found;
        }
        if (damaged && options_.damaged) options_.damaged(digest, dag::Round{*damaged * kGenerationRounds});
        return nullptr;
    }
    [[nodiscard]] std::optional<dag::PayloadEntry> entry(const Digest& digest, dag::Round sealed) {
        if (auto cached = cache_.entry(digest)) return cached;
        const auto read = [&](const BatchTable& table, const lmdb::Transaction& transaction) {
            return table.entry(transaction, digest);
        };
        const std::uint64_t generation = generation_of(sealed);
        auto found = search<std::optional<dag::PayloadEntry>>(std::span(&generation, 1), read);
        return found ? found : search<std::optional<dag::PayloadEntry>>(newest(), read);
    }
    [[nodiscard]] std::vector<Listed> by_author(dag::Epoch epoch, dag::ValidatorIndex author,
                                                dag::Round sealed, const std::optional<Listed>& after,
                                                std::size_t most) {
        struct Found {
            std::vector<Listed> listed;
            explicit operator bool() const { return !listed.empty(); }
        };
        const std::uint64_t generation = generation_of(sealed);
        const auto read = [&](const BatchTable& table,
                              const lmdb::Transaction& transaction) -> Result<Found> {
            auto found = table.by_author(transaction, epoch, author, after, most);
            if (!found) return Unexpected{found.error()};
            for (const Failure& each : found->damaged) damage_.note(each);
            return Found{std::move(found->listed)};
        };
        return search<Found>(std::span(&generation, 1), read).listed;
    }
    [[nodiscard]] std::vector<std::uint64_t> newest() const {
        return generations_->newest(options_.searched_generations);
    }

    void referenced(std::span<const dag::PayloadEntry> entries) {
        for (const dag::PayloadEntry& entry : entries) unreferenced_.release(entry);
    }
    void set_highest_round(dag::Round round) {
        std::uint64_t known = highest_.load(std::memory_order_relaxed);
        while (known < round.value() && !highest_.compare_exchange_weak(known, round.value())) {
        }
        // Once a generation is enough, and keeps the walk over all batches rare.
        if (known / kGenerationRounds < round.value() / kGenerationRounds) {
            unreferenced_.forget_below(below(round, options_.life));
        }
    }

    void prune(dag::Round store_floor) {
        std::uint64_t known = floor_.load(std::memory_order_relaxed);
        while (known < store_floor.value() && !floor_.compare_exchange_weak(known, store_floor.value())) {
        }
        for (const Generations::Size& size : generations_->sizes()) {
            if (!removable(size.number, floor())) return;
            generations_->remove(size.number);
            sizes_.forget(size.number);
            unreferenced_.forget_below(next(last_round_of(size.number)));
        }
    }
    [[nodiscard]] dag::Round floor_for_bytes(std::uint64_t bytes) const {
        const auto sizes = generations_->sizes();
        std::uint64_t kept = 0;
        for (auto at = sizes.rbegin(); at != sizes.rend(); ++at) {
            kept += at->disk_bytes;
            if (kept <= bytes || at == sizes.rbegin()) continue;
            return next(above(last_round_of(at->number), options_.life));
        }
        return {};
    }

    void check_readers() const {
        for (const GenerationPtr& open : generations_->open()) open->environment->check_readers();
    }
    [[nodiscard]] WriterStats stats() const { return writer_.stats(); }
    [[nodiscard]] Usage usage() const {
        Usage usage;
        const auto sizes = generations_->sizes();
        for (const Generations::Size& size : sizes) usage.disk_bytes += size.disk_bytes;
        usage.generations = sizes.size();
        usage.newest_bytes = sizes_.of(generation_of(highest()));
        for (const GenerationPtr& open : generations_->open()) {
            const lmdb::Environment& environment = *open->environment;
            ++usage.open_generations;
            usage.oldest_reader_seconds =
                std::max(usage.oldest_reader_seconds, environment.stats().oldest_reader_seconds);
            usage.oldest_reader_behind =
                std::max(usage.oldest_reader_behind, environment.oldest_reader_behind());
        }
        usage.cache_bytes = cache_.bytes();
        usage.unreferenced_bytes = unreferenced_.most();
        usage.damaged = damage_.count();
        return usage;
    }

 private:
    [[nodiscard]] dag::Round highest() const { return dag::Round{highest_.load(std::memory_order_relaxed)}; }
    [[nodiscard]] dag::Round floor() const { return dag::Round{floor_.load(std::memory_order_relaxed)}; }
    [[nodiscard]] bool removable(std::uint64_t generation, dag::Round store_floor) const {
        return last_round_of(generation) < below(store_floor, options_.life);
    }

    Result<void> write_group(std::span<BatchWrite> group) {
        std::map<std::uint64_t, std::vector<BatchWrite*>> generations;
        for (BatchWrite& write : group) {
            if (!write.stored) generations[generation_of(write.entry.sealed_round)].push_back(&write);
        }
        for (const auto& [number, writes] : generations) {
            if (auto written = write_generation(number, writes); !written) return written;
            // Should the next generation find no room, these would be taken for known when all is tried
            // again.
            for (BatchWrite* write : writes) write->stored = true;
        }
        for (const BatchWrite& write : group) cache_.insert(write.entry, write.batch);
        return {};
    }

    Result<void> write_generation(std::uint64_t number, const std::vector<BatchWrite*>& writes) {
        auto generation = generations_->obtain(number);
        if (!generation) return Unexpected{generation.error()};
        // It left while the batches waited, so these would leave at once.
        if (!*generation) return {};
        lmdb::Environment& environment = *(*generation)->environment;
        // A transaction copies no page twice, so never more than there are.
        std::size_t room =
            kTreeBytes + std::min(environment.stats().used_bytes, writes.size() * kCopiedBytesPerBatch);
        for (const BatchWrite* write : writes) room += new_bytes(write->bytes);
        const BatchTable& table = (*generation)->table;
        std::vector<BatchWrite*> known;
        auto fill = [&](lmdb::WriteTransaction& transaction) -> Result<void> {
            known.clear();
            for (BatchWrite* write : writes) {
                auto inserted = table.insert(transaction, write->entry, *write->batch);
                if (!inserted) return Unexpected{inserted.error()};
                if (!*inserted) known.push_back(write);
            }
            return {};
        };
        if (auto written = lmdb::write_growing(environment, room, fill); !written) return written;
        sizes_.set(number, environment.stats().used_bytes);
        reserved_.insert(number);
        give_back_reserves();
        // A batch that was stored before takes no more room now.
        for (BatchWrite* write : known) {
            if (write->charged) unreferenced_.release(write->entry);
        }
        return {};
    }

    /// Batches come a little out of order: the newest two generations keep what is reserved in their files.
    void give_back_reserves() {
        const std::uint64_t newest = *reserved_.rbegin();
        while (*reserved_.begin() + 1 < newest) {
            const auto generation = generations_->find(*reserved_.begin());
            if (generation && *generation) (*generation)->environment->trim();
            reserved_.erase(reserved_.begin());
        }
    }

    /// The first find in these generations. What cannot be read is not there.
    template <class Found, class Read>
    Found search(std::span<const std::uint64_t> generations, Read read) {
        for (const std::uint64_t number : generations) {
            auto generation = generations_->find(number);
            if (!generation) {
                damage_.note(generation.error());
                continue;
            }
            if (!*generation) continue;
            auto transaction = (*generation)->environment->read();
            if (!transaction) {
                damage_.note(transaction.error());
                continue;
            }
            Result<Found> found = read((*generation)->table, *transaction);
            if (!found) {
                damage_.note(found.error());
            } else if (*found) {
                return std::move(*found);
            }
        }
        return Found();
    }

    const BatchOptions options_;
    std::unique_ptr<Generations> generations_;
    BatchCache cache_;
    FillLevels sizes_;
    Unreferenced unreferenced_;
    /// Generations that were written and may have room reserved. Of the writing thread.
    std::set<std::uint64_t> reserved_;
    std::atomic<std::uint64_t> highest_{0};
    std::atomic<std::uint64_t> floor_{0};
    DamageLog damage_{"cannot read a batch"};
    /// Last: its thread uses all of the above.
    GroupWriter<BatchWrite> writer_;
};

Result<std::unique_ptr<BatchStore>> BatchStore::open(BatchOptions options) {
    auto generations = std::make_unique<Generations>(growing(options.environment), options.open_generations);
    if (auto scanned = generations->scan(); !scanned) return Unexpected{scanned.error()};
    auto state = std::make_unique<State>(std::move(options), std::move(generations));
    return std::unique_ptr<BatchStore>(new BatchStore(std::move(state)));
}

BatchStore::BatchStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
BatchStore::~BatchStore() = default;

Expected<void, PutError> BatchStore::put(const dag::PayloadEntry& entry, SharedBytes bytes, Standing standing,
                                         std::function<void()> durable) {
    return state_->put(entry, std::move(bytes), standing, std::move(durable));
}
SharedBytes BatchStore::get(const Digest& digest) const { return state_->get(digest, state_->newest()); }
SharedBytes BatchStore::get(const Digest& digest, dag::Round sealed) const {
    const std::uint64_t generation = generation_of(sealed);
    return state_->get(digest, std::span(&generation, 1));
}
std::optional<dag::PayloadEntry> BatchStore::entry(const Digest& digest, dag::Round sealed) const {
    return state_->entry(digest, sealed);
}
std::vector<BatchStore::Listed> BatchStore::by_author(dag::Epoch epoch, dag::ValidatorIndex author,
                                                      dag::Round sealed, const std::optional<Listed>& after,
                                                      std::size_t most) const {
    return state_->by_author(epoch, author, sealed, after, most);
}
void BatchStore::referenced(std::span<const dag::PayloadEntry> entries) { state_->referenced(entries); }
void BatchStore::set_highest_round(dag::Round round) { state_->set_highest_round(round); }
void BatchStore::prune(dag::Round store_floor) { state_->prune(store_floor); }
dag::Round BatchStore::floor_for_bytes(std::uint64_t bytes) const { return state_->floor_for_bytes(bytes); }
void BatchStore::check_readers() const { state_->check_readers(); }
WriterStats BatchStore::stats() const { return state_->stats(); }
BatchStore::Usage BatchStore::usage() const { return state_->usage(); }

}  // namespace monodon::storage
