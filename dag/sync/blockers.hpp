#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dag/events.hpp"

namespace monodon::dag {

/// The newest request to one member for one thing.
struct Asked {
    Time at{};
    /// Open while absent.
    std::optional<Time> answered;
    /// Absent if an answer came that did not bring it.
    std::optional<RequestFailure> failure;

    friend bool operator==(const Asked&, const Asked&) = default;
};
using AskedMembers = std::map<ValidatorIndex, Asked>;

/// Something that is fetched by digest and is not here.
struct Missing {
    Digest digest;
    /// Of a certificate its own; of a batch that of the header, certificate or anchor that needs it.
    Round round;
    /// They have it if they are honest.
    AuthorSet holders;
    AskedMembers asked;
    /// Absent while a request is open.
    std::optional<Time> next_attempt;
};

/// Why the next commit is not made, and why the lowest commit that is made is not executed. For people: a
/// picture of the engine at one moment, limited to `kListed` things of each kind.
struct Blockers {
    static constexpr std::size_t kListed = 64;

    /// The highest that is ordered, durable, given to execution, executed: what is not equal waits between
    /// the two.
    CommitIndex ordered;
    CommitIndex durable;
    CommitIndex delivered;
    CommitIndex executed;

    /// Without them certificates wait that are here; lowest rounds first.
    std::vector<Missing> certificates;
    std::size_t certificates_missing = 0;
    /// So many certificates wait for them.
    std::size_t suspended = 0;
    /// Without them commit `delivered + 1` cannot be executed.
    std::vector<Missing> batches;
    std::size_t batches_missing = 0;

    /// Rounds between the highest here and the highest verified, that are fetched as ranges.
    struct Ranges {
        Round highest;
        Round target;
        AuthorSet holders;
        AskedMembers asked;
        std::optional<Time> next_attempt;
    };
    std::optional<Ranges> ranges;

    /// The highest round, when it has grown last, and who has a certificate in it: without a quorum there, no
    /// next round begins.
    Round highest;
    Time grown{};
    AuthorSet present;
    bool quorum = false;

    std::optional<std::string> halted;
    /// Too much is not durable yet to take more.
    bool behind = false;
};

}  // namespace monodon::dag
