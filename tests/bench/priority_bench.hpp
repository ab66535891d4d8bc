#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include "dag/model/verification.hpp"
#include "node/dissemination.hpp"
#include "node/lanes.hpp"
#include "node/worker.hpp"
#include "storage/batch_store.hpp"
#include "tests/bench/network_pair.hpp"

/// The two ends of the benchmark of priorities. The left one sends votes, batches and bulk replies to the
/// right one, all on one connection, as a node sends them; the right one takes them as a node takes them.
namespace monodon::bench {

using Clock = std::chrono::steady_clock;

inline constexpr dag::ValidatorIndex kLeft{0};
inline constexpr dag::ValidatorIndex kRight{1};

/// When a vote was given to the left network, heard by the handler of the right one, and found genuine
/// there. A vote is known by its round.
class Journey {
 public:
    static constexpr std::size_t kVotesMax = 100'000;
    struct Stages {
        std::atomic<std::int64_t> sent{0};
        std::atomic<std::int64_t> heard{0};
        std::atomic<std::int64_t> checked{0};
    };
    [[nodiscard]] Stages& of(dag::Round round) { return (*stages_).at(round.value()); }
    [[nodiscard]] static std::int64_t now() { return Clock::now().time_since_epoch().count(); }

 private:
    std::unique_ptr<std::array<Stages, kVotesMax>> stages_ =
        std::make_unique<std::array<Stages, kVotesMax>>();
};

/// Our own batches as a worker disseminates them: as many as the window to the peer allows, until stopped.
/// A batch that is acknowledged is forgotten, as after its commit.
class BatchSource : public std::enable_shared_from_this<BatchSource> {
 public:
    BatchSource(const boost::asio::any_io_executor& executor, const dag::Committee& committee,
                net::Network& network, PeerId to);
    void start();
    void stop();
    void on_acks(std::vector<Digest> batches);
    [[nodiscard]] std::uint64_t acknowledged_bytes() const { return acknowledged_; }

 private:
    void pump();
    void tick();

    const dag::Committee& committee_;
    const boost::asio::any_io_executor strand_;
    boost::asio::steady_timer timer_;
    node::Dissemination batches_;
    std::uint64_t sequence_ = 0;
    bool running_ = false;
    std::atomic<std::uint64_t> acknowledged_{0};
};

/// What the right one does with what it hears: votes are checked on the compute pool as the router does it,
/// batches go to a worker with a store on the disk.
class Receiver {
 public:
    Receiver(const std::filesystem::path& directory, const dag::Committee& committee,
             const dag::Verification& verification, Journey& journey);
    ~Receiver();
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    /// Before the network starts; it must be set before the first batch arrives.
    void attach(net::Network& network, PeerId left) {
        network_ = &network;
        left_ = left;
    }
    [[nodiscard]] net::Handlers handlers();
    /// The network has ended.
    void stop();

    /// Holds the thread that writes batches for so long, from the next batch on that becomes durable.
    void stall_writer(Duration time) { stall_ = time.count(); }
    [[nodiscard]] bool stalled() const { return stalled_; }
    [[nodiscard]] node::WorkerStatus status() const { return worker_->status(); }

 private:
    [[nodiscard]] node::WorkerPorts ports();
    void on_notice(net::Method method, SharedBytes payload);
    void on_vote(const SharedBytes& payload);
    void stall_if_wanted();

    const dag::Committee& committee_;
    const dag::Verification& verification_;
    Journey& journey_;
    boost::asio::thread_pool compute_{kThreads};
    const node::Lanes lanes_{compute_.get_executor()};
    std::unique_ptr<storage::BatchStore> store_;
    std::unique_ptr<node::Application> application_;
    std::unique_ptr<node::Worker> worker_;
    net::Network* network_ = nullptr;
    PeerId left_;
    std::atomic<std::int64_t> stall_{0};
    std::atomic<bool> stalled_{false};
};

/// Keeps the window of bulk requests of the right one full until it is stopped.
class BulkReader {
 public:
    BulkReader(net::Network& network, PeerId of) : network_(network), of_(of) {}
    void start();
    /// Returns when the last reply has come.
    void stop();
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
    void ask();

    net::Network& network_;
    const PeerId of_;
    std::atomic<bool> running_{false};
    std::atomic<std::uint64_t> bytes_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t open_ = 0;
};

}  // namespace monodon::bench
