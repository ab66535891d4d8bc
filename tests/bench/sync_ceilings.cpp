#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/bench/storage_bench.hpp"
#include "tests/storage/support.hpp"
#include "tests/sync/transport.hpp"
#include "tests/temporary_directory.hpp"

// What bounds catching up, and what one gap costs: the part of `tests/bench/sync` that needs no process of
// its own for each member. Prints one JSON object on a line of its own.
using namespace monodon;
using namespace monodon::dag;
namespace peers = monodon::dag::test;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A committee with keys, and its certificates: everybody names everybody, a quorum signs.
class Signed {
 public:
    explicit Signed(std::size_t members) {
        std::vector<Member> seats;
        for (std::size_t at = 0; at < members; ++at) {
            std::array<Byte, 32> seed{};
            seed[0] = static_cast<Byte>(at + 1);
            keys_.push_back(KeyPair::from_seed(seed));
            seats.push_back({keys_.back().public_key(), 1});
        }
        auto made = dag::Committee::make("bench", Epoch{0}, std::move(seats));
        REQUIRE(made);
        committee_ = std::make_unique<dag::Committee>(std::move(*made));
    }

    const dag::Committee& committee() const { return *committee_; }

    const std::vector<VerifiedCertificate>& add_round() {
        round_ = next(round_);
        std::vector<VerifiedCertificate> made;
        for (std::size_t at = 0; at < keys_.size(); ++at) {
            Header header;
            header.round = round_;
            header.author = ValidatorIndex{static_cast<std::uint16_t>(at)};
            for (const auto& each : last_)
                header.parents.push_back({each->header.author, each->header.digest});
            sign_header(*committee_, keys_[at], header);
            Certificate certificate{header, {}, {}};
            for (std::size_t voter = 0; voter < committee_->quorum(); ++voter) {
                const ValidatorIndex index{static_cast<std::uint16_t>(voter)};
                certificate.signers.insert(index);
                certificate.signatures.push_back(
                    sign_vote(*committee_, keys_[voter], index, header.ref()).signature);
            }
            made.push_back(Verification::trusted(std::move(certificate)));
        }
        last_ = std::move(made);
        return last_;
    }

 private:
    std::vector<KeyPair> keys_;
    std::unique_ptr<dag::Committee> committee_;
    std::vector<VerifiedCertificate> last_;
    Round round_;
};

/// Certificates a second that so many threads verify.
double verified_per_second(std::size_t members, unsigned threads) {
    constexpr std::size_t kRounds = 200;
    Signed dag(members);
    std::vector<VerifiedCertificate> all;
    for (std::size_t round = 0; round < kRounds; ++round) {
        for (const auto& each : dag.add_round()) all.push_back(each);
    }
    const Ed25519Verifier signatures;
    const Verification verification(dag.committee(), signatures);
    std::atomic<std::size_t> bad = 0;
    const auto begin = Clock::now();
    std::vector<std::thread> pool;
    for (unsigned thread = 0; thread < threads; ++thread) {
        pool.emplace_back([&] {
            for (const auto& each : all) bad += verification.certificate(Certificate(*each)) ? 0U : 1U;
        });
    }
    for (std::thread& each : pool) each.join();
    const double taken = seconds_since(begin);
    REQUIRE(bad == 0);
    return static_cast<double>(all.size() * threads) / taken;
}

/// Certificates a second until all are durable, four records a write as the engine makes them of a round.
double stored_per_second(const std::filesystem::path& home) {
    constexpr std::uint64_t kRounds = 5'000;
    std::vector<std::vector<Record>> writes;
    storage::test::DagMaker maker;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
        writes.emplace_back();
        for (const auto& each : maker.add_round().certificates)
            writes.back().emplace_back(CertificateRecord{each});
    }
    const auto store = storage::test::open_consensus(storage::test::consensus_options(home));
    storage::bench::Arrivals durable;
    const std::size_t count = writes.size();
    const auto begin = Clock::now();
    for (auto& each : writes) store->write(std::move(each), [&] { durable.arrived(); });
    durable.wait_for(count);
    return static_cast<double>(kRounds * 4) / seconds_since(begin);
}

struct Latency {
    double p50_ms = 0;
    double p99_ms = 0;
};

/// From a certificate whose parents are missing, `lacking` of the four of the round below, until it is in the
/// graph: over TLS on loopback, verified.
Latency resolve(std::size_t lacking) {
    constexpr std::size_t kGaps = 300;
    Signed dag(4);
    std::array<std::shared_ptr<peers::MemorySource>, 4> stores;
    for (auto& each : stores) each = std::make_shared<peers::MemorySource>(dag.committee());
    peers::OverTls transport(dag.committee(),
                             std::vector<std::shared_ptr<const SyncSource>>(stores.begin(), stores.end()));
    const Ed25519Verifier signatures;
    const Verification verification(dag.committee(), signatures);
    const ReplyChecks checks{
        [&](const std::shared_ptr<const Certificate>& each) {
            auto checked = verification.certificate(Certificate(*each));
            return checked ? std::optional(std::move(*checked)) : std::nullopt;
        },
        [](const std::shared_ptr<const Header>&) { return std::optional<VerifiedHeader>(); }};
    SyncSession session(dag.committee(), ValidatorIndex{0}, Round{0}, {});
    for (std::uint16_t peer = 1; peer < 4; ++peer) session.connect(ValidatorIndex{peer}, true, Time{});

    Time now{};
    std::vector<double> taken;
    for (std::size_t gap = 0; gap < kGaps; ++gap) {
        const std::vector<VerifiedCertificate> gone = dag.add_round();
        const std::vector<VerifiedCertificate> above = dag.add_round();
        for (const auto& round : {gone, above}) {
            for (const auto& each : round) {
                for (const auto& store : stores) store->add(each);
            }
        }
        for (std::size_t at = lacking; at < gone.size(); ++at) {
            REQUIRE(session.sync_and_process_certificate(gone[at]));
        }
        const auto begin = Clock::now();
        REQUIRE_FALSE(session.sync_and_process_certificate(above[0]));
        while (!session.idle()) {
            now += std::chrono::milliseconds(1);
            for (const SendRequest& each : session.requests(now)) {
                auto body =
                    read_reply(ValidatorIndex{0}, each.body, transport.ask(each.to, each.body), checks);
                session.replied({each.id, std::move(*body)}, now);
            }
        }
        taken.push_back(seconds_since(begin) * 1e3);
        REQUIRE(session.graph().contains(above[0]->ref()));
        for (std::size_t at = 1; at < above.size(); ++at) {
            REQUIRE(session.sync_and_process_certificate(above[at]));
        }
    }
    std::ranges::sort(taken);
    return {taken[taken.size() / 2], taken[taken.size() * 99 / 100]};
}

}  // namespace

TEST_CASE("what bounds catching up") {
    const monodon::test::TemporaryDirectory directory(std::filesystem::current_path());
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const double four = verified_per_second(4, 1);
    const double four_all = verified_per_second(4, cores);
    const double ten = verified_per_second(10, 1);
    const double ten_all = verified_per_second(10, cores);
    const double stored = stored_per_second(directory.path());
    const Latency parent = resolve(1);
    const Latency round = resolve(4);
    std::cout << fmt::format(R"({{"cores":{},"verified_per_s":{{"4":{:.0f},"10":{:.0f}}},)"
                             R"("verified_per_s_all_cores":{{"4":{:.0f},"10":{:.0f}}},"stored_per_s":{:.0f},)"
                             R"("missing_parent_ms":{{"p50":{:.2f},"p99":{:.2f}}},)"
                             R"("missing_round_ms":{{"p50":{:.2f},"p99":{:.2f}}}}})",
                             cores, four, ten, four_all, ten_all, stored, parent.p50_ms, parent.p99_ms,
                             round.p50_ms, round.p99_ms)
              << std::endl;
}
