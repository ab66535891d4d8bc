#include "tests/bench/priority_bench.hpp"

#include <string_view>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "node/codec.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/relay.hpp"
#include "tests/eventually.hpp"
#include "tests/temporary_directory.hpp"

// priority [json] [DIRECTORY]: how late a vote is while bulk replies and batches saturate its connection,
// against the same connection idle, over a line of a gigabit and over loopback. On loopback the processors
// are saturated, which both ends and what saturates them share, so votes are also sent on a connection of
// their own meanwhile: what is late there is not late for want of priority, and no goal is held against it.
// Batches are stored under DIRECTORY (the current one), some gigabytes, and removed again.
namespace monodon::bench {

namespace {

constexpr Duration kVoteEvery = std::chrono::milliseconds(2);
constexpr Duration kPhase = std::chrono::seconds(5);
constexpr Duration kWarmUp = std::chrono::milliseconds(500);
constexpr std::size_t kBulkReplyBytes = 4 * 1024 * 1024;
/// "p99 vote delay under bulk saturation at most 5 times idle p99" (issue of this floor).
constexpr double kGoal = 5;
/// Between two machine rooms of a city.
constexpr Line kGigabit{std::chrono::milliseconds(1), 1'000'000'000 / 8};
constexpr double kMebibyte = 1024.0 * 1024.0;

/// What one phase saw.
struct Phase {
    std::vector<double> heard;
    std::vector<double> checked;
    double bulk = 0;
    double batches = 0;
    double link = 0;
};

class Bench {
 public:
    Bench(const std::filesystem::path& directory, std::optional<Line> line)
        : committee_(committee(pair_)),
          verification_(committee_, verifier_),
          receiver_(directory, committee_, verification_, journey_) {
        std::uint16_t port = start_right();
        if (line) {
            relay_.emplace(port, *line);
            port = relay_->port();
        }
        pair_.start_left(left_handlers(), port);
        source_ = std::make_shared<BatchSource>(compute_.get_executor(), committee_, pair_.left(),
                                                pair_.right_id());
        bulk_ = std::make_unique<BulkReader>(pair_.right(), pair_.left_id());
        beside_.start_left({}, beside_.start_right(receiver_.handlers()));
    }

    ~Bench() {
        pair_.stop();
        beside_.stop();
        compute_.join();
        receiver_.stop();
    }

    void saturate() {
        source_->start();
        bulk_->start();
        test::dawdle(kWarmUp);
    }
    void relax() {
        source_->stop();
        bulk_->stop();
        test::dawdle(kWarmUp);
    }
    void stall() {
        receiver_.stall_writer(kPhase + kWarmUp);
        if (!test::eventually([this] { return receiver_.stalled(); }))
            give_up("the batch writer cannot be stalled");
    }
    void wait_for_writer() const {
        if (!test::eventually([this] { return !receiver_.stalled(); }))
            give_up("the batch writer does not go on");
    }

    /// On the connection that is saturated, and on one with nothing else on it.
    void measure(Phase& phase) { measure(phase, pair_); }
    void measure_beside(Phase& phase) { measure(phase, beside_); }

 private:
    /// Sends votes for the time of a phase and adds what became of them.
    void measure(Phase& phase, NetworkPair& on) {
        const auto first = next_round_;
        const std::uint64_t bulk = bulk_->bytes();
        const std::uint64_t batches = source_->acknowledged_bytes();
        const std::uint64_t link = pair_.bytes_to_right();
        const auto begin = Clock::now();
        for (auto due = begin; due < begin + kPhase; due += kVoteEvery) {
            test::dawdle(std::chrono::duration_cast<Duration>(due - Clock::now()));
            vote(on);
        }
        const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        phase.bulk = static_cast<double>(bulk_->bytes() - bulk) / kMebibyte / seconds;
        phase.batches = static_cast<double>(source_->acknowledged_bytes() - batches) / kMebibyte / seconds;
        phase.link = static_cast<double>(pair_.bytes_to_right() - link) / kMebibyte / seconds;
        test::dawdle(kWarmUp);
        collect(first, phase);
    }

    static dag::Committee committee(const NetworkPair& pair) {
        auto made = dag::Committee::make(
            "bench", dag::Epoch{}, {{pair.left_key().public_key(), 1}, {pair.right_key().public_key(), 1}});
        if (!made) give_up(std::string(dag::describe(made.error())));
        return *made;
    }

    std::uint16_t start_right() {
        const std::uint16_t port = pair_.start_right(receiver_.handlers());
        receiver_.attach(pair_.right(), pair_.left_id());
        return port;
    }

    net::Handlers left_handlers() {
        net::Handlers handlers;
        handlers.on_notice = [this](const PeerId&, net::Method, const SharedBytes& payload) {
            auto batches = node::decode_digests(*payload);
            if (!batches) give_up("a malformed acknowledgement");
            source_->on_acks(std::move(*batches));
        };
        handlers.on_request = [this](const PeerId&, net::Role, net::Method, const SharedBytes&,
                                     const net::Replier& replier) {
            boost::asio::post(compute_.get_executor(), [this, replier] { replier.finish(reply_); });
        };
        return handlers;
    }

    void vote(NetworkPair& on) {
        const dag::Round round = next_round_;
        next_round_ = dag::next(next_round_);
        if (round.value() >= Journey::kVotesMax) give_up("too many votes");
        const dag::HeaderRef header{round, kRight, sha256(as_bytes("header"))};
        const dag::Vote vote = dag::sign_vote(committee_, pair_.left_key(), kLeft, header);
        const SharedBytes payload = node::encode_object(dag::encode(vote));
        journey_.of(round).sent = Journey::now();
        if (!on.left().send(on.right_id(), net::MessageClass::consensus, net::Method::vote, payload))
            give_up("a vote was dropped");
    }

    void collect(dag::Round first, Phase& phase) {
        for (dag::Round round = first; round < next_round_; round = dag::next(round)) {
            Journey::Stages& stages = journey_.of(round);
            if (!test::eventually([&stages] { return stages.checked != 0; })) give_up("a vote was lost");
            phase.heard.push_back(static_cast<double>(stages.heard - stages.sent) / 1e9);
            phase.checked.push_back(static_cast<double>(stages.checked - stages.sent) / 1e9);
        }
    }

    std::optional<Relay> relay_;
    NetworkPair pair_;
    NetworkPair beside_;
    const dag::Committee committee_;
    const Ed25519Verifier verifier_;
    const dag::Verification verification_;
    Journey journey_;
    boost::asio::thread_pool compute_{kThreads};
    Receiver receiver_;
    std::shared_ptr<BatchSource> source_;
    std::unique_ptr<BulkReader> bulk_;
    dag::Round next_round_{1};
    const SharedBytes reply_ = std::make_shared<const Bytes>(kBulkReplyBytes, Byte{7});
};

void report(const std::string& name, const Phase& phase, const Phase* idle, std::optional<double> goal,
            Figures& figures) {
    for (const auto& [what, times, before] :
         {std::tuple{"vote heard", &phase.heard, idle == nullptr ? nullptr : &idle->heard},
          std::tuple{"vote checked", &phase.checked, idle == nullptr ? nullptr : &idle->checked}}) {
        const double p50 = quantile_us(*times, 0.5);
        const double p99 = quantile_us(*times, 0.99);
        figures.push_back({fmt::format("{}: {}, p50", name, what), p50, "us"});
        figures.push_back({fmt::format("{}: {}, p99", name, what), p99, "us"});
        if (before == nullptr) continue;
        figures.push_back({fmt::format("{}: {}, p99 beside idle", name, what),
                           p99 / quantile_us(*before, 0.99), "times", goal});
    }
    if (idle == nullptr) return;
    figures.push_back({name + ": bulk replies", phase.bulk, "MiB/s"});
    figures.push_back({name + ": batches acknowledged", phase.batches, "MiB/s"});
    figures.push_back({name + ": the connection", phase.link, "MiB/s"});
}

void measure(const std::string& where, const std::string& directory, std::optional<Line> line,
             std::optional<double> goal, Figures& figures) {
    const monodon::test::TemporaryDirectory stores(directory);
    Bench bench(stores.path(), line);
    test::dawdle(kWarmUp);
    Phase idle;
    Phase saturated;
    Phase saturated_beside;
    Phase stalled;
    bench.measure(idle);
    bench.saturate();
    bench.measure(saturated);
    bench.measure_beside(saturated_beside);
    bench.stall();
    bench.measure(stalled);
    bench.wait_for_writer();
    bench.relax();
    // Before and after, in case the machine has changed meanwhile.
    bench.measure(idle);
    report(where + ", idle", idle, nullptr, {}, figures);
    report(where + ", saturated", saturated, &idle, goal, figures);
    report(where + ", meanwhile a loopback connection beside it", saturated_beside, nullptr, {}, figures);
    report(where + ", batch writer stalled", stalled, &idle, goal, figures);
}

int run(const Options& options) {
    Figures figures;
    figures.push_back(machine_load());
    measure("gigabit", options.directory, kGigabit, kGoal, figures);
    measure("loopback", options.directory, {}, {}, figures);
    print(figures, options.json);
    return 0;
}

}  // namespace

}  // namespace monodon::bench

int main(int argc, char** argv) { return monodon::bench::run(monodon::bench::options_of(argc, argv)); }
