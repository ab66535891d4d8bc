#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dag/engine.hpp"
#include "dag/sync/responder.hpp"

namespace monodon::dag::test {

/// Signs with a digest of key and message: what the rules need, without the cost of Ed25519.
class StubSigner final : public Signer {
 public:
    explicit StubSigner(std::uint8_t seed) { key_.bytes.fill(seed); }
    [[nodiscard]] Signature sign(ByteView message) const override;
    [[nodiscard]] const PublicKey& public_key() const override { return key_; }

 private:
    PublicKey key_;
};

/// A committee of engines joined by a plain queue in virtual time, with disks that need a while to be
/// durable. One seed, one history.
class TestCommittee {
 public:
    struct Options {
        std::vector<Stake> stakes = {1, 1, 1, 1};
        std::uint64_t seed = 1;
        /// Nodes behind the members that have no seat.
        std::size_t observers = 0;
        Duration link_delay = std::chrono::microseconds(200);
        Duration link_jitter = std::chrono::microseconds(100);
        Duration disk_delay = std::chrono::microseconds(300);
        unsigned loss_percent = 0;
        EngineConfig engine{};
    };
    explicit TestCommittee(Options options);

    /// Members and observers.
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] bool is_observer(std::size_t node) const { return node >= signers_.size(); }
    [[nodiscard]] Time now() const { return now_; }
    void run_for(Duration time);
    /// Until the condition holds; false if it does not within `limit` of virtual time.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    /// Gives a batch with one transaction to the member: durable at once with all members but those in
    /// `without`. Observers fetch it.
    PayloadEntry submit(std::size_t member, std::string_view transaction, std::set<std::size_t> without = {});

    /// What was not durable is lost; messages on the way are lost.
    void crash(std::size_t member);
    void start(std::size_t member);
    /// What is on the disk now, to be put back later.
    [[nodiscard]] std::shared_ptr<const void> copy_disk(std::size_t member) const;
    /// Of a member that is down: an empty disk for null, else a copy that was made before. With `ask` it is
    /// marked as what may not be all.
    void put_disk(std::size_t member, const std::shared_ptr<const void>& copy, bool ask);
    /// Nothing becomes durable any more, until it does again and at once.
    void fill_disk(std::size_t member) { full_disks_.insert(member); }
    void free_disk(std::size_t member);
    /// Why members stopped and began to sign again.
    [[nodiscard]] const std::vector<std::pair<std::size_t, SigningChanged>>& signing() const {
        return signing_;
    }
    [[nodiscard]] bool running(std::size_t member) const { return nodes_.at(member).engine != nullptr; }
    /// Messages from `from` that this returns true for are lost.
    std::function<bool(std::size_t from, std::size_t to, const Effect& effect)> drop;
    /// Extra delay of everything that a member sends.
    std::map<std::size_t, Duration> slow;
    /// Nodes whose application takes commits and does not get on with them.
    std::set<std::size_t> stand_still;
    /// Certificates that were taken without their signatures.
    std::uint64_t by_hash = 0;
    void set_loss(unsigned percent) { options_.loss_percent = percent; }

    [[nodiscard]] EngineStatus status(std::size_t member) const { return nodes_.at(member).engine->status(); }
    /// All commits that were handed to execution, over all lives.
    [[nodiscard]] const std::vector<CommitPtr>& executed(std::size_t member) const {
        return nodes_.at(member).executed;
    }
    [[nodiscard]] bool has_executed(std::size_t member, const Digest& batch) const;
    [[nodiscard]] std::size_t times_executed(std::size_t member, const Digest& batch) const;
    /// The durable commits of a member.
    [[nodiscard]] const std::map<CommitIndex, CommitPtr>& commits(std::size_t member) const;
    [[nodiscard]] const std::vector<std::string>& halts() const { return halts_; }
    [[nodiscard]] const std::vector<Digest>& requeued() const { return requeued_; }
    /// Fails the test if two members differ at an index, a vote or header contradicts an earlier one, or a
    /// batch was executed twice.
    void check_safety() const;
    void give(std::size_t member, Event event, Duration delay = Duration{0});
    [[nodiscard]] const Committee& committee() const { return *committee_; }
    [[nodiscard]] const StubSigner& signer(std::size_t member) const { return signers_.at(member); }

 private:
    struct Disk final : DagReader {
        std::map<Slot, VerifiedCertificate> certificates;
        std::map<Digest, VerifiedCertificate> by_digest;
        std::map<ValidatorIndex, Vote> votes;
        std::optional<VerifiedHeader> own_header;
        SigningBound signing;
        std::map<CommitIndex, CommitPtr> commit_rows;
        std::map<Digest, PayloadEntry> batches;
        Round floor;
        CommitIndex executed;
        [[nodiscard]] std::optional<PayloadEntry> batch(const PayloadEntry& named) const override;
        [[nodiscard]] CommitPtr commit(CommitIndex index) const override;
    };
    /// A disk as others may read it. Batches are entries here: answer() finds them itself.
    struct Source final : SyncSource {
        Source(const Disk& from, const Committee& of) : disk(from), committee(of) {}
        const Disk& disk;
        const Committee& committee;
        [[nodiscard]] Held held() const override;
        [[nodiscard]] AuthorSet everybody() const override { return committee.everybody(); }
        [[nodiscard]] std::optional<VerifiedCertificate> certificate(const Digest& header) const override;
        [[nodiscard]] Page certificates(Slot first, Round last, std::size_t most,
                                        std::size_t bytes) const override {
            return page_of(disk.certificates, first, last, most, bytes);
        }
        [[nodiscard]] SharedBytes batch(const WantedBatch&) const override { return nullptr; }
        [[nodiscard]] std::shared_ptr<const Header> newest_header(ValidatorIndex author) const override;
    };
    struct Node {
        std::unique_ptr<Engine> engine;
        std::unique_ptr<Disk> disk;
        std::uint64_t life = 0;
        std::uint64_t tick = 0;
        std::vector<CommitPtr> executed;
        std::map<Digest, std::size_t> executed_batches;
    };
    using Action = std::function<void()>;

    [[nodiscard]] std::uint64_t draw(std::uint64_t below);
    void at(Time when, Action action);
    void deliver(std::size_t from, std::size_t to, const Effect& effect, Event event);
    void step(std::size_t member, const Event& event);
    void perform(std::size_t member, const Effect& effect);
    void write(std::size_t member, const Record& record);
    void connect(std::size_t node, bool connected);
    void answer(std::size_t member, std::size_t server, const SendRequest& request);
    [[nodiscard]] RecoveredState recover(const Node& node) const;
    [[nodiscard]] Event event_of(const Message& message) const;

    Options options_;
    std::vector<StubSigner> signers_;
    std::unique_ptr<Committee> committee_;
    std::vector<Node> nodes_;
    std::map<std::pair<Time, std::uint64_t>, Action> queue_;
    std::uint64_t sequence_ = 0;
    std::uint64_t random_;
    std::uint64_t batch_sequence_ = 0;
    Time now_{};
    std::vector<std::string> halts_;
    std::vector<Digest> requeued_;
    std::vector<std::pair<std::size_t, SigningChanged>> signing_;
    std::set<std::size_t> full_disks_;
    std::map<std::size_t, std::vector<Action>> held_writes_;
    /// Every header and vote that ever left a member.
    std::map<Slot, Digest> headers_seen_;
    std::map<std::pair<ValidatorIndex, Slot>, Digest> votes_seen_;
};

}  // namespace monodon::dag::test
