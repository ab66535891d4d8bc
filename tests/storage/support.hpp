#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>

#include "dag/events.hpp"
#include "storage/batch_store.hpp"
#include "storage/consensus_store.hpp"
#include "storage/recovery.hpp"
#include "tests/eventually.hpp"
#include "tests/temporary_directory.hpp"

/// What the tests of the stores share: a directory that goes away, a committee with stand-ins for keys, and a
/// DAG in which every member names everybody and every round has an anchor.
namespace monodon::storage::test {

using monodon::test::TemporaryDirectory;

[[nodiscard]] const dag::Committee& four_members();

[[nodiscard]] dag::Vote vote_for(const dag::HeaderRef& header);
/// `salt` makes another header for the same slot.
[[nodiscard]] dag::VerifiedCertificate certificate(dag::Slot slot, const std::vector<dag::Parent>& parents,
                                                   std::uint64_t salt = 0,
                                                   const std::vector<dag::PayloadEntry>& payload = {});

/// Grows a DAG round by round, and the commits with it: the anchor of round r is member r mod 4 and orders
/// the round below it, so that commit r has the anchor of round r.
class DagMaker {
 public:
    struct MadeRound {
        std::vector<dag::VerifiedCertificate> certificates;
        dag::CommitPtr commit;
        /// All of the above as one write, certificates first.
        [[nodiscard]] std::vector<dag::Record> records() const;
    };
    /// `payload` is what the certificate of member 0 names.
    MadeRound add_round(std::uint64_t salt = 0, const std::vector<dag::PayloadEntry>& payload = {});
    /// Goes on from what a store holds.
    void resume(const dag::RecoveredState& state);
    [[nodiscard]] dag::Round round() const { return round_; }

 private:
    dag::Round round_;
    std::vector<dag::HeaderRef> last_;
    std::vector<dag::HeaderRef> unordered_;
    dag::CommitClaim head_;
};

struct SealedBatch {
    dag::PayloadEntry entry;
    SharedBytes bytes;
};
/// With one transaction of this many bytes.
[[nodiscard]] SealedBatch batch(dag::ValidatorIndex author, std::uint64_t sequence, dag::Round sealed,
                                std::size_t bytes = 100);

[[nodiscard]] ConsensusOptions consensus_options(const std::filesystem::path& directory);
[[nodiscard]] BatchOptions batch_options(const std::filesystem::path& directory);
/// Requires that they open.
[[nodiscard]] std::unique_ptr<ConsensusStore> open_consensus(const ConsensusOptions& options);
[[nodiscard]] std::unique_ptr<BatchStore> open_batches(const BatchOptions& options);

/// Waits until everything written so far is durable.
void flush(ConsensusStore& store);
void put_durably(BatchStore& store, const SealedBatch& batch, Standing standing = Standing::named);

/// Something that another thread makes true; waiting for it fails the test after a generous time.
class Signal {
 public:
    void raise();
    [[nodiscard]] bool wait(std::size_t times = 1);

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t raised_ = 0;
};

using monodon::test::eventually;

/// Gives the store another schema version, and takes away what version 1 did not have. The environment must
/// be closed.
void set_schema(const std::filesystem::path& directory, std::uint32_t schema);

/// Flips a bit of the first value of a table. The environment must be closed.
void damage_first_row(const std::filesystem::path& directory, const char* table, std::size_t byte = 0);

/// Runs `body` in a child process and gives the signal that ended it, 0 if it returned.
[[nodiscard]] int signal_of(const std::function<void()>& body);

}  // namespace monodon::storage::test
