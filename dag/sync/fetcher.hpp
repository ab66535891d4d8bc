#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dag/sync/blockers.hpp"
#include "dag/sync/preference.hpp"

namespace monodon::dag {

/// Gives each SendRequest its id.
class RequestIds {
 public:
    [[nodiscard]] RequestId next() { return RequestId{++last_}; }

 private:
    std::uint64_t last_ = 0;
};

/// The one in-flight table of everything that is fetched by digest: missing parents and missing batches
/// (consensus.md 4.3, V5a). Whom to ask is the caller's evidence: the author of a header for what it names,
/// the signers of a certificate for what stands below it. A member that does not answer costs one time-out
/// and never holds up what others can deliver: whatever does not come soon is asked of a second one
/// meanwhile, and who has no slot free is passed over.
class Fetcher {
 public:
    /// Keeps a reference to the preference.
    Fetcher(std::optional<ValidatorIndex> self, Duration timeout, Preference& preference)
        : self_(self), timeout_(timeout), preference_(preference) {}

    /// `holders` have it if they are honest; `first` is asked before the others. Wanted again: holders add
    /// up. `round` is that of the header or certificate that needs it.
    /// `named`: by a certificate that is here, not only by a header.
    void want_certificate(const Digest& digest, Round round, const AuthorSet& holders, ValidatorIndex first,
                          bool named = false);
    void want_batch(const WantedBatch& batch, Round round, const AuthorSet& holders, ValidatorIndex first);
    /// As want_batch(), for one of an ordered certificate: it is fetched until it is here, whatever happens
    /// to headers.
    void want_for_execution(const WantedBatch& batch, Round round, const AuthorSet& holders,
                            ValidatorIndex first);
    /// It is here: no more requests for it.
    void found(const Digest& digest);
    /// The header that needed it is gone. What execution needs stays wanted.
    void drop(const Digest& digest);
    /// What was needed in rounds up to `floor` is of no use any more, except to execution.
    void collect(Round floor);
    void set_connected(ValidatorIndex peer, bool connected, Time now);

    /// Sends what is due.
    void poll(Time now, RequestIds& ids, Effects& out);
    /// The time of the next attempt, if anything waits for one.
    [[nodiscard]] std::optional<Time> next_attempt() const;
    /// An answer that stopped at a limit after so many bytes: it has not looked for what stands in the
    /// request from this position on.
    struct Stopped {
        std::size_t position = 0;
        std::size_t bytes = 0;
    };
    [[nodiscard]] static std::optional<Stopped> stopped(const ReplyBody& reply);
    /// What the reply brought was told by found() before; `failure` if it brought nothing. False if the
    /// request is not ours.
    bool answered(RequestId id, std::optional<RequestFailure> failure, Time now,
                  std::optional<Stopped> stopped = {});

    /// The certificates, or the batches that execution needs: lowest rounds first, `most` of them.
    [[nodiscard]] std::vector<Missing> missing_certificates(std::size_t most) const;
    [[nodiscard]] std::vector<Missing> missing_for_execution(std::size_t most) const;
    [[nodiscard]] std::size_t certificates_wanted() const;

    /// What every connected holder was asked for in vain, at least once.
    [[nodiscard]] std::vector<Digest> asked_of_all() const;

    [[nodiscard]] std::size_t wanted() const { return items_.size(); }
    [[nodiscard]] std::size_t in_flight() const { return requests_.size(); }
    [[nodiscard]] bool wants(const Digest& digest) const { return items_.contains(digest); }
    /// When somebody was asked for it first; nothing if nobody was.
    [[nodiscard]] std::optional<Time> asked_since(const Digest& digest) const;

 private:
    /// An ancestor is a certificate that is named by one; items do not tell the two apart, requests do.
    enum class Kind : std::uint8_t { certificate, ancestor, batch };
    struct Item {
        Kind kind;
        Round round;
        /// Of a batch.
        Round sealed;
        AuthorSet holders;
        /// In this cycle, also those who have not answered yet.
        AuthorSet asked;
        ValidatorIndex first;
        /// In this cycle they stopped before it without having sent much.
        AuthorSet stopped = {};
        unsigned cycles = 0;
        Time due{};
        unsigned in_flight = 0;
        bool for_execution = false;
        bool named = false;
        std::optional<Time> asked_since = {};
        AskedMembers history = {};
    };
    struct Request {
        ValidatorIndex to;
        std::vector<Digest> digests;
        Time sent;
    };
    using Slots = std::map<ValidatorIndex, std::size_t>;
    /// What is to be asked for now, in this order. Votes and the graph wait for certificates and for what
    /// headers name; execution for thousands of batches perhaps, of which the last is of no use before the
    /// first.
    struct Rank {
        bool for_execution = false;
        Round round;
        Digest digest;
        friend auto operator<=>(const Rank&, const Rank&) = default;
    };

    static std::size_t per_request(Kind kind);
    /// A new item, or the one that is there with more holders.
    void want(const Digest& digest, const Item& wanted);
    [[nodiscard]] static Rank rank(const Digest& digest, const Item& item) {
        return {item.for_execution, item.round, digest};
    }
    void schedule(const Digest& digest, Item& item, Time due);
    void unschedule(const Digest& digest, const Item& item);
    /// Whom a request could go to, or be added to, is somebody.
    [[nodiscard]] bool any_room(const AuthorSet& full, const std::map<Kind, AuthorSet>& gathering) const;
    /// Connected holders that were not asked in this cycle.
    [[nodiscard]] AuthorSet candidates(const Item& item) const;
    [[nodiscard]] std::optional<ValidatorIndex> choose(const Item& item, const AuthorSet& candidates);
    [[nodiscard]] Duration hedge_after(ValidatorIndex peer) const;
    template <class Wanted>
    [[nodiscard]] std::vector<Missing> missing(std::size_t most, Wanted wanted) const;
    void send(ValidatorIndex to, Kind kind, std::vector<Digest> digests, Time now, RequestIds& ids,
              Effects& out);

    std::optional<ValidatorIndex> self_;
    Duration timeout_;
    Preference& preference_;
    AuthorSet connected_;
    std::map<Digest, Item> items_;
    /// Each item that waits is in one of the two: for its time, or for a slot of somebody who has it. Those
    /// come back with the answers.
    std::set<std::pair<Time, Digest>> due_;
    std::set<Rank> ready_;
    std::map<RequestId, Request> requests_;
    Slots slots_;
    /// What answers of each take, a moving average.
    std::map<ValidatorIndex, Duration> took_;
};

}  // namespace monodon::dag
