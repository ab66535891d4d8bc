#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dag/events.hpp"
#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/expected.hpp"

namespace monodon::node {

/// One transaction as it lies in a request or a batch.
struct TransactionView {
    ByteView bytes;
};

/// What the application says of a transaction before it is accepted.
enum class Verdict : std::uint8_t { ok, malformed };

/// What executing one transaction did. `malformed` happens only to what another validator admitted wrongly:
/// it is ordered, and changes nothing. `duplicate`: the same operation was executed before, which is what
/// counts.
enum class Outcome : std::uint8_t { ok, mismatch, absent, value, malformed, duplicate };
/// As receipts spell it, for example `mismatch`.
[[nodiscard]] std::string_view name(Outcome outcome);

/// The body of one batch of a commit.
struct BatchBody {
    /// The encoded batch, and what parse_batch() made of it.
    SharedBytes bytes;
    dag::BatchView view;
    /// Outcomes are wanted: a client of this node may wait for them.
    bool report = false;
};
/// Reads the batches of commits one by one, so that a commit of any size is applied in bounded memory. The
/// error is in words; what is applied then is void.
using BatchReader = std::function<Expected<BatchBody, std::string>(const dag::PayloadEntry&)>;

/// The outcomes of one batch whose report was wanted.
struct AppliedBatch {
    Digest batch;
    dag::CommitIndex commit;
    /// Of the commit's anchor.
    dag::Round round;
    /// Place of the first transaction among those of the commit, from 0.
    std::uint64_t position = 0;
    /// One per transaction, in order.
    std::vector<Outcome> outcomes;
    /// What transactions with the outcome `value` read: position in the batch, ascending, and the bytes. The
    /// rest is left out beyond kReadBytesMax a batch.
    std::vector<std::pair<std::uint32_t, SharedBytes>> values;

    static constexpr std::size_t kReadBytesMax = 1024 * 1024;
};

/// The state root as of one commit.
struct StateRoot {
    dag::CommitIndex index;
    Digest root;
    friend bool operator==(const StateRoot&, const StateRoot&) = default;
};

struct Applied {
    std::vector<AppliedBatch> reported;
    /// Those that fell due within the commits, ascending by index.
    std::vector<StateRoot> roots;
};

struct ApplyFailure {
    /// For the log, in words.
    std::string text;
    /// The disk is full and nothing was synced: the same call may succeed later. Else nothing may be applied
    /// any more.
    bool try_again = false;
};

/// What the ordered transactions are executed by, in process. All calls but check() come from one thread,
/// which may be blocked; check() is thread-safe and quick.
class Application {
 public:
    virtual ~Application() = default;

    /// The index of the first commit that is not part of the durable state: replay begins there.
    [[nodiscard]] virtual dag::CommitIndex next_index() = 0;
    [[nodiscard]] virtual Verdict check(TransactionView transaction) const = 0;
    /// Executes consecutive commits, which are durable, in order. State and index change in one atomic write
    /// for all of them; commits at or below the applied index are skipped, and a gap is our bug. After a
    /// failure nothing was changed.
    [[nodiscard]] virtual Expected<Applied, ApplyFailure> apply(std::span<const dag::CommitPtr> commits,
                                                                const BatchReader& read) = 0;
};

}  // namespace monodon::node
