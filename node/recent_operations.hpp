#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "dag/model/types.hpp"
#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "storage/lmdb/environment.hpp"

namespace monodon::node {

/// What the state says of the operations it remembers: it lies in the row of the empty key, which no
/// operation can name, so the state root covers all of them.
struct RecentHead {
    /// Segments that are full.
    std::uint64_t segment = 0;
    /// Operations in the one that fills.
    std::uint64_t count = 0;
    /// Of the segment before, and of the one that fills: a hash over their ids, commit by commit.
    Digest before;
    Digest chain;

    void add(ByteView ids);
    [[nodiscard]] bool empty() const { return segment == 0 && count == 0; }
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RecentHead> decode(ByteView bytes);
};

/// The ids of the operations that were executed last, so that one which is ordered twice, by two nodes or by
/// one before and after its restart, is executed once. They are kept in two segments: when the one that fills
/// has `segment_size` the other is forgotten, at the end of a commit. So what is remembered depends on the
/// executed commits alone and is the same on all nodes. About 80 bytes each: 20 MiB when full.
///
/// The table `recent` maps segment and commit index to the ids of that commit in their order.
class RecentOperations {
 public:
    static constexpr std::uint64_t kSegmentSize = 128 * 1024;

    explicit RecentOperations(std::uint64_t segment_size) : segment_size_(segment_size) {}
    /// Reads the table. `damaged` if it is not what the head says.
    [[nodiscard]] storage::Result<void> load(const storage::lmdb::Transaction& transaction,
                                             storage::lmdb::Table table, const RecentHead& head);

    /// What a span of commits adds, within one write transaction, which it must not outlive.
    class Change {
     public:
        Change(const RecentOperations& base, storage::lmdb::WriteTransaction& transaction,
               storage::lmdb::Table table)
            : base_(base), transaction_(transaction), table_(table), head_(base.head_) {}

        [[nodiscard]] bool contains(const Digest& id) const;
        void add(const Digest& id);
        storage::Result<void> finish_commit(dag::CommitIndex index);
        [[nodiscard]] const RecentHead& head() const { return head_; }
        /// A finished commit has added something.
        [[nodiscard]] bool changed() const { return changed_; }

     private:
        friend class RecentOperations;
        storage::Result<void> forget_old();

        const RecentOperations& base_;
        storage::lmdb::WriteTransaction& transaction_;
        storage::lmdb::Table table_;
        RecentHead head_;
        std::map<Digest, std::uint64_t> added_;
        /// Of the commit at hand.
        Bytes ids_;
        bool changed_ = false;
    };
    /// After the transaction of the change was committed.
    void take(Change& change);

 private:
    /// Ordered, because whoever submits chooses ids: a hash table could be filled to crawl.
    using Segments = std::map<Digest, std::uint64_t>;
    [[nodiscard]] bool contains(const Segments& ids, const Digest& id, const RecentHead& head) const;

    const std::uint64_t segment_size_;
    RecentHead head_;
    Segments ids_;
};

}  // namespace monodon::node
