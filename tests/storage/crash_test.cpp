#include <cstdlib>
#include <map>
#include <random>

#include <catch2/catch.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/store_reader.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;

namespace {

enum class Kind : std::uint8_t { vote, certificate, own_header, commit, batch };

/// What the child says once it is durable. Fixed size and below PIPE_BUF, so that lines never mix.
struct Acknowledged {
    Kind kind{};
    std::uint16_t author = 0;
    std::uint64_t number = 0;
    Digest digest;
};

void say(int pipe, const Acknowledged& acknowledged) {
    if (::write(pipe, &acknowledged, sizeof acknowledged) != sizeof acknowledged) ::_exit(3);
}

/// A life of a validator that signs everything at once, and goes on where the last one ended. Its headers are
/// its own
/// (`life` salts them): had it forgotten a promise of an earlier life, it would make another for the same
/// slot.
[[noreturn]] void live(const std::filesystem::path& directory, std::uint64_t life, int pipe) {
    const auto consensus = open_consensus(consensus_options(directory / "consensus"));
    const auto batches = open_batches(batch_options(directory / "batches"));
    const auto recovered = recover(*consensus, four_members(), {});
    if (!recovered) ::_exit(4);
    DagMaker maker;
    maker.resume(recovered->state);
    const auto& own_header = recovered->state.own_header;
    Signal durable;
    for (std::size_t made_rounds = 1; made_rounds < 100'000; ++made_rounds) {
        // The queue is first in, first out: at most the round after the last commit was begun before the
        // crash.
        const bool begun = own_header && (*own_header)->round > maker.round();
        const auto made = maker.add_round(begun ? (*own_header)->created_at : life);
        batches->set_highest_round(maker.round());
        const auto sealed = batch(dag::ValidatorIndex{0}, maker.round().value(), maker.round(), 3000);
        const auto stored =
            batches->put(sealed.entry, sealed.bytes, Standing::named, [pipe, entry = sealed.entry] {
                say(pipe, {Kind::batch, 0, entry.sealed_round.value(), entry.batch});
            });
        if (!stored) ::_exit(5);
        const auto& own = made.certificates[0]->header;
        consensus->write({dag::OwnHeaderRecord{dag::Verification::trusted(dag::Header(own))}},
                         [pipe, ref = own.ref()] {
                             say(pipe, {Kind::own_header, 0, ref.round.value(), ref.digest});
                         });
        for (const auto& certificate : made.certificates) {
            const dag::HeaderRef ref = certificate->ref();
            consensus->write({dag::VoteRecord{vote_for(ref)}}, [pipe, ref] {
                say(pipe, {Kind::vote, ref.author.value(), ref.round.value(), ref.digest});
            });
        }
        consensus->write(made.records(), [&durable, pipe, made] {
            for (const auto& certificate : made.certificates) {
                const dag::HeaderRef ref = certificate->ref();
                say(pipe, {Kind::certificate, ref.author.value(), ref.round.value(), ref.digest});
            }
            say(pipe, {Kind::commit, 0, made.commit->index.value(), made.commit->digest});
            durable.raise();
        });
        // Three rounds are on their way at a time.
        if (made_rounds > 3 && !durable.wait(made_rounds - 3)) ::_exit(6);
    }
    ::_exit(7);
}

using Promises = std::map<std::pair<std::uint64_t, std::uint16_t>, Digest>;

struct Ledger {
    Promises votes;
    Promises own_headers;
    std::vector<Acknowledged> others;

    void take(const Acknowledged& acknowledged) {
        const std::pair slot{acknowledged.number, acknowledged.author};
        switch (acknowledged.kind) {
            case Kind::vote:
                promise(votes, slot, acknowledged.digest);
                break;
            case Kind::own_header:
                promise(own_headers, slot, acknowledged.digest);
                break;
            default:
                others.push_back(acknowledged);
        }
    }
    /// At most one for a slot, over all lives.
    static void promise(Promises& promises, std::pair<std::uint64_t, std::uint16_t> slot,
                        const Digest& digest) {
        const auto [at, first] = promises.emplace(slot, digest);
        if (!first) CHECK(at->second == digest);
    }
};

/// Kills the child after `count` acknowledgements and reads what it had said until then.
void run_and_kill(const std::filesystem::path& directory, std::uint64_t life, std::size_t count,
                  Ledger& ledger) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ends[0]);
        live(directory, life, ends[1]);
    }
    ::close(ends[1]);
    Acknowledged acknowledged;
    for (std::size_t read = 0;; ++read) {
        if (read == count) ::kill(child, SIGKILL);
        const auto size = ::read(ends[0], &acknowledged, sizeof acknowledged);
        if (size == 0) break;
        REQUIRE(size == sizeof acknowledged);
        ledger.take(acknowledged);
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
}

void check_nothing_lost(const std::filesystem::path& directory, const Ledger& ledger) {
    const auto consensus = open_consensus(consensus_options(directory / "consensus"));
    const auto batches = open_batches(batch_options(directory / "batches"));
    const StoreReader reader(*consensus, *batches, four_members());
    const auto recovered = recover(*consensus, four_members(), {});
    REQUIRE(recovered);
    CHECK(recovered->dropped.empty());
    const auto found = verify_consistency(recovered->state);
    CHECK(found.faults.empty());
    CHECK(found.gaps.empty());

    for (const dag::Vote& vote : recovered->state.votes) {
        for (const auto& [slot, digest] : ledger.votes) {
            if (slot.second != vote.author.value()) continue;
            CHECK(slot.first <= vote.round.value());
            if (slot.first == vote.round.value()) CHECK(digest == vote.header);
        }
    }
    for (const auto& [slot, digest] : ledger.own_headers) {
        REQUIRE(recovered->state.own_header);
        const dag::HeaderRef own = (*recovered->state.own_header)->ref();
        CHECK(slot.first <= own.round.value());
        if (slot.first == own.round.value()) CHECK(digest == own.digest);
    }
    for (const Acknowledged& acknowledged : ledger.others) {
        switch (acknowledged.kind) {
            case Kind::certificate:
                CHECK(reader.certificate(acknowledged.digest));
                break;
            case Kind::commit: {
                const auto commit = reader.commit(dag::CommitIndex{acknowledged.number});
                CHECK((commit && commit->digest == acknowledged.digest));
                break;
            }
            default:
                CHECK(batches->get(acknowledged.digest, dag::Round{acknowledged.number}));
        }
    }
}

}  // namespace

TEST_CASE("kill -9 at any point loses nothing that was acknowledged, and no slot is signed twice") {
    const char* const wanted = std::getenv("MONODON_CRASH_LOOPS");
    const int loops = wanted != nullptr ? std::atoi(wanted) : 100;
    const std::uint64_t seed = static_cast<std::uint64_t>(loops) * 7919 + 1;
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    std::optional<TemporaryDirectory> directory;
    Ledger ledger;
    for (int loop = 0; loop < loops; ++loop) {
        // A store of its own now and then, so that the first transactions are cut short too.
        if (loop % 8 == 0) {
            directory.emplace();
            ledger = {};
        }
        run_and_kill(directory->path(), std::uint64_t(loop) + 1, random() % 150, ledger);
        check_nothing_lost(directory->path(), ledger);
    }
}
