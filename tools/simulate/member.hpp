#pragma once

#include <memory>

#include "tools/simulate/judge.hpp"
#include "tools/simulate/mischief.hpp"
#include "tools/simulate/plan.hpp"
#include "tools/simulate/requests.hpp"
#include "tools/simulate/trace.hpp"
#include "tools/simulate/worker.hpp"

namespace monodon::sim {

/// What the members of a run share.
struct World {
    EventQueue& queue;
    Keyring& keys;
    Judge& judge;
    Trace& trace;
    const Plan& plan;
    FaultCounts& injected;
    /// To every node of a member.
    std::function<void(NodeId from, dag::ValidatorIndex to, Packet packet)> send;
    /// The submitter of this batch was told that it is durable.
    std::function<void(NodeId node, const Batch& batch)> acknowledged;
    std::function<void(const Digest& expired, const Batch& batch)> replaced;
    /// A member's process has ended by itself.
    std::function<void(NodeId node)> ended;
    std::uint64_t batches_made = 0;
    std::uint64_t reproposals = 0;
    std::uint64_t equivocations = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t refused = 0;
    /// When each header left first, and from there to the first decision on it as an anchor.
    std::map<dag::Slot, Time> headers_made{};
    std::vector<Duration> latencies{};
    std::uint64_t first_decisions = 0;
};

/// One process with its disk, of a member or of an observer: the production engine, a model of the worker,
/// the answers to requests, and an application that only hashes. Lives through crashes; what it has in memory
/// does not.
class Member {
 public:
    /// Keeps a reference to the world. `mischief` is null for an honest one. An observer has a place beyond
    /// the committee, under which it is reached.
    Member(World& world, NodeId node, dag::ValidatorIndex self, Random random,
           std::unique_ptr<Mischief> mischief);

    void start();
    /// With `none`, nothing of what was on its way to the disk survives.
    void crash(bool none);
    [[nodiscard]] bool running() const { return engine_ != nullptr; }
    void receive(dag::ValidatorIndex from, const Packet& packet);
    /// A connection to this member came up or went down.
    void connect(dag::ValidatorIndex peer, bool connected);
    void submit();

    // ---- faults
    /// Ends when so many more writes have passed a boundary: queued, durable, told.
    void crash_at_write(unsigned boundaries) { crash_in_ = boundaries; }
    /// Ends when it is asked for something.
    void crash_when_asked() { crash_when_asked_ = true; }
    /// Loses half of what comes of some kinds from some members, until it is told other ones.
    void set_deaf(std::uint64_t kinds) { deaf_to_ = kinds; }
    /// The next sync fails, which ends the process.
    void fail_write() { write_fails_ = true; }
    /// Does nothing until then; what comes meanwhile waits.
    void pause(Time until);
    void jump_clock(Duration ahead) { offset_ += ahead; }
    /// Of the next life: its clock may also be behind that of the present one.
    void set_clock(Duration offset) { next_offset_ = offset; }
    /// No sync ends before this time.
    void fill_disk(Time until) { disk_full_until_ = until; }
    void set_slow_disk(Duration extra) { disk_extra_ = extra; }
    /// The application's state, alone, is that of an earlier commit. Only while not running.
    void restore_application(dag::CommitIndex index);
    /// Takes the place of the backup before it.
    void make_backup() { backup_ = Backup{disk_.backup(), states_}; }
    [[nodiscard]] bool has_backup() const { return backup_.has_value(); }
    /// Its disk holds the batch and its backup does not.
    [[nodiscard]] bool would_lose(const Digest& batch) const {
        return disk_.find_batch(batch) != nullptr && backup_ && backup_->disk.find_batch(batch) == nullptr;
    }
    /// All is as it was when the backup was made. Only while not running.
    void restore_backup();
    /// After a restore it follows without signing, until the committee has passed the round above which it
    /// may.
    [[nodiscard]] bool only_follows() const;
    /// No faults of its own any more.
    void heal();

    [[nodiscard]] const Disk& disk() const { return disk_; }
    [[nodiscard]] dag::CommitIndex applied() const { return dag::CommitIndex{states_.size() - 1}; }
    [[nodiscard]] dag::EngineStatus status() const { return engine_->status(); }
    /// What it has fetched in all its lives.
    [[nodiscard]] dag::SyncStats fetched() const;
    [[nodiscard]] dag::ValidatorIndex self() const { return self_; }
    [[nodiscard]] NodeId node() const { return node_; }
    [[nodiscard]] bool is_observer() const { return !world_.keys.committee().contains(self_); }

 private:
    // ---- time: member.cpp
    [[nodiscard]] Time clock() const { return world_.queue.now() + offset_; }
    void later(Duration delay, std::function<void()> action);
    void enter(std::uint64_t life, std::function<void()> action);
    void give(dag::Event event);
    /// Any ratings of the others, again and again: progress must not depend on them.
    void rate_peers();
    [[nodiscard]] dag::SyncStats fetched_in_this_life() const;
    [[nodiscard]] bool is_deaf_to(dag::ValidatorIndex from, const Packet& packet);
    void step(const dag::Event& event);
    [[nodiscard]] WorkerPorts worker_ports();
    void send(dag::ValidatorIndex to, Packet packet);
    void broadcast(const Packet& packet, std::size_t to_observers = 0);

    // ---- effects: member_effects.cpp
    void perform(const dag::Persist& effect);
    void perform(const dag::Send& effect);
    void perform(const dag::Broadcast& effect);
    void perform(const dag::SendRequest& effect);
    void perform(const dag::WakeAt& effect);
    void perform(const dag::OwnCertified& effect);
    void perform(const dag::Committed& effect);
    void perform(const dag::Deliver& effect);
    void perform(const dag::Requeue& effect);
    void perform(const dag::Equivocation& effect);
    void perform(const dag::Halt& effect);
    void perform(const dag::SigningChanged& effect);
    /// True if the process has ended here.
    [[nodiscard]] bool boundary();
    void sync();
    void synced();
    void sync_batches();
    [[nodiscard]] Duration sync_time();
    void apply_next();

    // ---- packets: member_packets.cpp
    void take(dag::ValidatorIndex from, const std::shared_ptr<const dag::Header>& header);
    void take(dag::ValidatorIndex from, const std::shared_ptr<const dag::Vote>& vote);
    void take(dag::ValidatorIndex from, const std::shared_ptr<const dag::Certificate>& certificate);
    void take(dag::ValidatorIndex from, const Batch& batch);
    void take(dag::ValidatorIndex from, const Ack& ack);
    void take(dag::ValidatorIndex from, const Request& request);
    void take(dag::ValidatorIndex from, const Reply& reply);
    [[nodiscard]] dag::SyncResponse answer(dag::ValidatorIndex from, const dag::SyncRequest& request) const;
    /// Sends what has a place in the window.
    void ask(dag::ValidatorIndex to);
    void expire_requests(dag::ValidatorIndex to);
    /// The connection is another one, or none: what was open on it has failed.
    void change_connection(dag::ValidatorIndex peer, bool connected);

    World& world_;
    NodeId node_;
    dag::ValidatorIndex self_;
    Random random_;
    Random ratings_;
    std::unique_ptr<Mischief> mischief_;
    Disk disk_;
    struct Backup {
        Disk disk;
        /// At least those up to the state on the disk.
        std::vector<std::uint64_t> states;
    };
    std::optional<Backup> backup_;
    /// The application's state after each commit, from 0; of this life's memory.
    std::vector<std::uint64_t> states_{0};

    std::unique_ptr<dag::Engine> engine_;
    std::unique_ptr<Worker> worker_;
    std::uint64_t life_ = 0;
    std::uint64_t steps_ = 0;
    std::uint64_t wake_ = 0;
    Duration offset_{0};
    Duration next_offset_{0};
    Time paused_until_{};
    std::vector<std::function<void()>> backlog_;
    Time disk_full_until_{};
    Duration disk_extra_{0};
    unsigned crash_in_ = 0;
    bool crash_when_asked_ = false;
    /// A bit for each kind of packet and half of the members.
    std::optional<std::uint64_t> deaf_to_;
    dag::SyncStats fetched_;
    bool write_fails_ = false;
    dag::AuthorSet connected_;
    dag::Round round_;
    /// By connection, of this life; their numbers go on over all lives.
    std::map<dag::ValidatorIndex, Asking> asking_;
    std::map<dag::ValidatorIndex, Answering> answering_;
    std::uint64_t connections_ = 0;
    std::deque<dag::CommitPtr> to_apply_;
    dag::CommitIndex delivered_;
    bool applying_ = false;
};

}  // namespace monodon::sim
