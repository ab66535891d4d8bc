#pragma once

#include <chrono>
#include <deque>
#include <vector>

#include "tools/bench.hpp"
#include "tools/framed_submit.hpp"
#include "tools/transaction_maker.hpp"

namespace monodon::tools {

/// The time that counts.
struct BenchWindow {
    using Clock = std::chrono::steady_clock;
    Clock::time_point begin;
    Clock::time_point end;
    [[nodiscard]] bool holds(Clock::time_point time) const { return time >= begin && time < end; }
};

/// One connection with its share of the rate, an open loop: what is due is offered, however slow the answers
/// are. On the one thread of its executor; adds to a result that outlives it.
class BenchLane {
 public:
    using Clock = std::chrono::steady_clock;

    BenchLane(boost::asio::any_io_executor executor, SubmitTarget target, TransactionMaker maker, double rate,
              BenchResult& result);

    void open() { channel_.open(); }
    [[nodiscard]] const SubmitChannel& channel() const { return channel_; }
    void begin(Clock::time_point start, BenchWindow window);
    /// Takes what is due by this time, which is its time of submission also if we come late: a load that
    /// waits for whom it measures would not see him being slow.
    void tick(Clock::time_point due);
    /// Everything has had its answer.
    [[nodiscard]] bool idle() const { return in_flight_ == 0 && waiting_ == 0; }
    /// What has had no answer is lost.
    void give_up();

 private:
    /// Transactions that fell due at the same tick.
    struct Cohort {
        Clock::time_point due;
        std::uint64_t count = 0;
    };
    struct Request {
        std::vector<Cohort> cohorts;
        std::uint64_t transactions = 0;
        /// Those among them that were due within the window.
        std::uint64_t measured = 0;
    };

    void enqueue(const Cohort& cohort);
    void count(std::uint64_t& counter, const Cohort& cohort) const;
    void lose(const std::string& why, std::uint64_t transactions);
    void flush();
    [[nodiscard]] Request take();
    void send(Request request);
    void settle(const Request& request, const SubmitOutcome& outcome);
    void settle_stages(const Request& request, const node::SubmitReply& reply, std::uint64_t refused);

    SubmitChannel channel_;
    TransactionMaker maker_;
    double rate_;
    BenchResult& result_;
    std::uint64_t per_request_;
    Clock::time_point start_;
    BenchWindow window_;
    std::uint64_t made_ = 0;
    std::deque<Cohort> cohorts_;
    std::uint64_t waiting_ = 0;
    std::size_t in_flight_ = 0;
    std::size_t bytes_in_flight_ = 0;
    std::uint64_t measured_in_flight_ = 0;
};

}  // namespace monodon::tools
