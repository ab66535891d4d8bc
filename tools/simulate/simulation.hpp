#pragma once

#include <memory>
#include <set>

#include "tools/simulate/member.hpp"

namespace monodon::sim {

/// What became of a run.
struct Result {
    std::uint64_t seed = 0;
    std::optional<Violation> violation;
    std::uint64_t trace_hash = 0;
    /// JSON lines, if the options asked for them.
    std::string trace;
    FaultSet faults;
    FaultCounts injected{};
    Duration virtual_time{0};
    std::uint64_t events = 0;
    std::uint64_t rounds = 0;
    std::uint64_t commits = 0;
    std::uint64_t skipped = 0;
    std::uint64_t ordered_certificates = 0;
    std::uint64_t certificates = 0;
    /// Named by another member's certificate of the next round.
    std::uint64_t referenced = 0;
    /// Of a run under Shoal: the rounds of the second half before healing, and how many of them have a
    /// committed anchor. By then reputation has had its say.
    std::uint64_t settled_rounds = 0;
    std::uint64_t settled_anchors = 0;
    std::uint64_t batches = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t executed = 0;
    std::uint64_t reproposals = 0;
    std::uint64_t equivocations = 0;
    std::uint64_t request_timeouts = 0;
    std::uint64_t refused = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    /// What honest members fetched of certificates.
    dag::SyncStats fetched{};
    /// Certificates that they took without signatures.
    std::uint64_t by_hash = 0;
    /// Of each commit: between the header of its anchor and the first decision on it.
    std::vector<Duration> latencies;
    /// One message, on the average, in this run.
    Duration message_delay{0};
    /// Until the faults ended, and the round reached then.
    Duration hurt_for{0};
    std::uint64_t hurt_rounds = 0;
    /// Of the healing phase, until all that is asked for had happened.
    Duration healed_after{0};
    /// The ordinary limit of healing was over while the leader schedule gave nearly all rounds to members
    /// that do not lead: the run was given the time that the schedule needs.
    bool led_astray = false;
};

/// One run: a committee in virtual time, hurt first, then healed and asked for progress. Not for concurrent
/// use; runs of different objects share nothing.
class Simulation {
 public:
    explicit Simulation(Options options);
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    [[nodiscard]] Result run();

    // For tests that steer a run themselves instead of run().
    void start();
    void advance(Duration time);
    [[nodiscard]] Member& member(NodeId node) { return *members_.at(node); }
    [[nodiscard]] Network& network() { return *network_; }
    [[nodiscard]] Judge& judge() { return *judge_; }
    [[nodiscard]] const Plan& plan() const { return plan_; }
    [[nodiscard]] Time now() const { return queue_.now(); }
    /// Starts a member again and connects it.
    void restart(NodeId node);

 private:
    [[nodiscard]] bool is_byzantine(dag::ValidatorIndex member) const;
    [[nodiscard]] bool is_honest(NodeId node) const;
    [[nodiscard]] bool is_observer(NodeId node) const { return members_.at(node)->is_observer(); }
    [[nodiscard]] dag::Stake stake_of(NodeId node) const {
        return is_observer(node) ? 0 : options_.stakes.at(node);
    }
    [[nodiscard]] dag::ValidatorIndex index_of(NodeId node) const { return members_.at(node)->self(); }
    void make_members();
    void connect(NodeId node, bool connected);
    void step_until(Time end, const std::function<bool()>& done);
    [[nodiscard]] Result result();

    // ---- simulation_faults.cpp
    void begin_faults();
    void schedule(Fault fault);
    [[nodiscard]] bool loses_acknowledged(const Member& member) const;
    void inject(Fault fault);
    void down(Fault fault, NodeId node, Duration time);
    void cut(Fault fault);
    void set_cut(const std::vector<std::pair<NodeId, NodeId>>& links, bool blocked);
    [[nodiscard]] std::optional<NodeId> victim();
    [[nodiscard]] Duration some_time();
    void load(NodeId node);

    // ---- simulation_heal.cpp
    void heal();
    void check_progress();
    [[nodiscard]] bool has_recovered() const;
    [[nodiscard]] std::string what_is_missing() const;
    [[nodiscard]] std::string what_differs() const;
    [[nodiscard]] bool is_asked(NodeId node) const;
    [[nodiscard]] bool is_led_astray() const;

    Options options_;
    Keyring keys_;
    EventQueue queue_;
    Time begin_;
    Plan plan_;
    FaultCounts injected_{};
    std::unique_ptr<Judge> judge_;
    std::unique_ptr<Trace> trace_;
    std::unique_ptr<World> world_;
    std::unique_ptr<Network> network_;
    /// Member i is node i; the observers follow, then the twins.
    std::vector<std::unique_ptr<Member>> members_;
    Random chance_;
    bool hurting_ = false;
    bool dead_down_ = false;
    /// Members that a fault has taken out, and their stake.
    std::set<NodeId> down_;
    dag::Stake down_stake_ = 0;
    dag::CommitIndex healed_at_commit_;
    Time healed_at_{};
    dag::Round healed_at_round_;
    Duration healed_after_{0};
    bool led_astray_ = false;
    /// Batches of honest members whose submitters were told; and what stands in for an expired one.
    std::map<Digest, NodeId> acknowledged_;
    std::map<Digest, Digest> replaced_;
};

/// Runs the options once.
[[nodiscard]] Result simulate(const Options& options);

}  // namespace monodon::sim
