#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dag/model/types.hpp"
#include "net/core/bytes.hpp"
#include "net/core/digest.hpp"
#include "net/core/time.hpp"
#include "node/application.hpp"

namespace monodon::node {

/// How far a transaction has come at the node it was given to. Each stage includes those before it.
enum class Stage : std::uint8_t {
    accepted,   ///< in memory: lost if this node stops
    durable,    ///< synced here and acknowledged by a quorum of stake: survives the loss of this node
    certified,  ///< named by a certificate
    committed,  ///< ordered for good, and durable here
    executed,   ///< applied to the state here
};
inline constexpr std::size_t kStages = 5;
[[nodiscard]] std::string_view name(Stage stage);
[[nodiscard]] std::optional<Stage> parse_stage(std::string_view text);

/// What a client is told about one transaction. Fields of later stages are empty.
struct Receipt {
    Digest id;
    Stage stage = Stage::accepted;
    /// This submission was not the first: the node knew the id, and what follows is of the first one.
    bool duplicate = false;
    /// Its first batch expired without being ordered; the transaction is in a new one, which has come to
    /// `stage`.
    bool requeued = false;
    /// From `committed` on: the commit, the round of its anchor, and the place among the commit's
    /// transactions, from 0.
    dag::CommitIndex commit;
    dag::Round round;
    std::uint64_t position = 0;
    /// From `executed` on, unless the outcome is not known here (executed before this node's last start).
    std::optional<Outcome> outcome;
    /// What a get read.
    SharedBytes value;
    /// Time from acceptance to each stage that was reached. After a restart, since the restart.
    std::array<std::optional<Duration>, kStages> latency;

    /// accepted, durable, certified, committed, executed or requeued.
    [[nodiscard]] std::string_view status() const;
};

/// Why a transaction was not accepted; the numbers are those of the framed submit.
enum class Refusal : std::uint8_t { too_large = 1, duplicate = 2, busy = 3, malformed = 4 };
/// Size of a table by Refusal.
inline constexpr std::size_t kRefusals = 5;
[[nodiscard]] std::string_view name(Refusal refusal);

struct RefusedTransaction {
    /// In the submission.
    std::uint32_t position = 0;
    Refusal why = Refusal::malformed;
};

/// What a submitter is told, once for each stage that all its transactions have reached, in order, up to the
/// stage it wants; or earlier, why there will be no more.
struct StageReport {
    enum class Kind : std::uint8_t {
        reached,
        busy,       ///< nothing was accepted; try again after retry_after
        elsewhere,  ///< nothing is ever accepted here; `reason` says who does
        timed_out,  ///< the transactions are on their way all the same
        stopped,    ///< this node is stopping; the transactions are on their way all the same
    };
    Kind kind = Kind::reached;
    /// The stage reached; for timed_out and stopped the last one that was reported.
    Stage stage = Stage::accepted;
    /// No report follows.
    bool last = false;
    /// With `accepted`: how many are new here. Duplicates are listed below and waited for like the others.
    std::uint32_t accepted = 0;
    /// With `accepted`, ascending by position.
    std::vector<RefusedTransaction> refused;
    /// From `committed` on: the highest commit among the transactions.
    dag::CommitIndex commit;
    Duration since_arrival{0};
    Duration retry_after{0};
    /// For elsewhere, and for busy: why, in words; with busy empty for the usual reason, that as much is
    /// waiting as may.
    std::string reason;
};

}  // namespace monodon::node
