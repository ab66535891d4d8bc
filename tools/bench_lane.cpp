#include "tools/bench_lane.hpp"

#include <algorithm>

namespace monodon::tools {

namespace {

/// Below the 64 requests that a connection may have open, so that what waits does so here, where it is
/// counted.
constexpr std::size_t kRequestsInFlight = 48;
/// A validator holds at most 4 MiB for the open requests of one client, by the size of their buffers, which
/// may be twice that of what is in them; beyond it the connection ends.
constexpr std::size_t kBytesInFlight = 2 * 1024 * 1024;
constexpr std::size_t kRequestBytes = 256 * 1024;
static_assert(kRequestBytes <= kSubmitBytesMax);
/// What may wait at our end of one connection.
constexpr auto kBacklog = std::chrono::seconds(4);
constexpr Duration kBenchDeadline = std::chrono::seconds(25);

Duration between(BenchLane::Clock::time_point begin, BenchLane::Clock::time_point end) {
    return std::chrono::duration_cast<Duration>(end - begin);
}

const node::SubmitReply::Reached* find(const node::SubmitReply& reply, node::Stage stage) {
    const auto found = std::ranges::find(reply.reached, stage, &node::SubmitReply::Reached::stage);
    return found == reply.reached.end() ? nullptr : &*found;
}

}  // namespace

BenchLane::BenchLane(boost::asio::any_io_executor executor, SubmitTarget target, TransactionMaker maker,
                     double rate, BenchResult& result)
    : channel_(std::move(executor), std::move(target)),
      maker_(std::move(maker)),
      rate_(rate),
      result_(result),
      per_request_(std::clamp<std::uint64_t>(kRequestBytes / maker_.size(), 1, kSubmitCountMax)) {}

void BenchLane::begin(Clock::time_point start, BenchWindow window) {
    start_ = start;
    window_ = window;
}

void BenchLane::tick(Clock::time_point due) {
    const double elapsed = std::chrono::duration<double>(due - start_).count();
    const auto wanted = static_cast<std::uint64_t>(elapsed * rate_);
    const std::uint64_t fresh = wanted - std::min(wanted, made_);
    made_ += fresh;
    if (fresh > 0) enqueue({due, fresh});
    flush();
}

void BenchLane::give_up() {
    lose("no answer", measured_in_flight_);
    for (const Cohort& cohort : cohorts_) count(result_.unsent, cohort);
}

void BenchLane::lose(const std::string& why, std::uint64_t transactions) {
    if (transactions > 0) result_.lost[why] += transactions;
}

void BenchLane::enqueue(const Cohort& cohort) {
    count(result_.offered, cohort);
    const auto most = static_cast<std::uint64_t>(rate_ * std::chrono::duration<double>(kBacklog).count()) + 1;
    if (!channel_.connected()) {
        if (window_.holds(cohort.due)) lose("no connection", cohort.count);
        return;
    }
    if (waiting_ + cohort.count > most) return count(result_.unsent, cohort);
    cohorts_.push_back(cohort);
    waiting_ += cohort.count;
}

void BenchLane::count(std::uint64_t& counter, const Cohort& cohort) const {
    if (window_.holds(cohort.due)) counter += cohort.count;
}

void BenchLane::flush() {
    while (waiting_ > 0 && in_flight_ < kRequestsInFlight &&
           bytes_in_flight_ + kRequestBytes <= kBytesInFlight) {
        send(take());
    }
}

BenchLane::Request BenchLane::take() {
    Request request;
    while (request.transactions < per_request_ && !cohorts_.empty()) {
        Cohort& first = cohorts_.front();
        const std::uint64_t part = std::min(per_request_ - request.transactions, first.count);
        request.cohorts.push_back({first.due, part});
        request.transactions += part;
        if (window_.holds(first.due)) request.measured += part;
        first.count -= part;
        if (first.count == 0) cohorts_.pop_front();
    }
    waiting_ -= request.transactions;
    return request;
}

void BenchLane::send(Request request) {
    std::vector<Bytes> made;
    for (std::uint64_t at = 0; at < request.transactions; ++at) made.push_back(maker_.next());
    const std::vector<ByteView> views(made.begin(), made.end());
    const std::size_t bytes = request.transactions * maker_.size();
    ++in_flight_;
    bytes_in_flight_ += bytes;
    measured_in_flight_ += request.measured;
    channel_.submit(node::Stage::executed, views, kBenchDeadline,
                    [this, bytes, request = std::move(request)](const SubmitOutcome& outcome) {
                        --in_flight_;
                        bytes_in_flight_ -= bytes;
                        measured_in_flight_ -= request.measured;
                        settle(request, outcome);
                        flush();
                    });
}

void BenchLane::settle(const Request& request, const SubmitOutcome& outcome) {
    using Kind = SubmitOutcome::Kind;
    if (outcome.kind == Kind::busy) {
        if (request.measured > 0) result_.refused["busy"] += request.measured;
        return;
    }
    if (outcome.kind != Kind::answered) return lose(outcome.error, request.measured);
    std::uint64_t refused = 0;
    for (const node::RefusedTransaction& one : outcome.reply.refused) {
        if (request.measured > 0) ++result_.refused[std::string(node::name(one.why))];
        if (one.why != node::Refusal::duplicate) ++refused;
    }
    if (refused < request.transactions) settle_stages(request, outcome.reply, refused);
}

// The receipt says how long before the last stage the others were reached. So commits are timed by our own
// clock: up to the arrival of the receipt, less the node's own time from commit to execution.
void BenchLane::settle_stages(const Request& request, const node::SubmitReply& reply, std::uint64_t refused) {
    const Clock::time_point now = Clock::now();
    const auto* committed = find(reply, node::Stage::committed);
    const auto* executed = find(reply, node::Stage::executed);
    if (committed == nullptr || executed == nullptr) return lose("not executed in time", request.measured);
    const Clock::time_point commit_time = now - (executed->since_arrival - committed->since_arrival);
    for (Cohort cohort : request.cohorts) {
        const std::uint64_t less = std::min(refused, cohort.count);
        refused -= less;
        cohort.count -= less;
        count(result_.committed_in_window, {commit_time, cohort.count});
        count(result_.executed_in_window, {now, cohort.count});
        if (!window_.holds(cohort.due)) continue;
        result_.executed += cohort.count;
        result_.commit_latency.record(between(cohort.due, commit_time), cohort.count);
        result_.execution_latency.record(between(cohort.due, now), cohort.count);
    }
}

}  // namespace monodon::tools
