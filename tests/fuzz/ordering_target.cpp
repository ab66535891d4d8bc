#include <algorithm>

#include "tests/dag/dag_builder.hpp"
#include "tests/dag/oracle.hpp"
#include "tests/fuzz/target.hpp"

// The ordering, on any causally closed DAG and in any order of arrival.
namespace monodon::fuzz::ordering_target {

namespace {

using namespace dag;
using dag::test::Node;
using dag::test::Oracle;

constexpr std::size_t kRoundsMax = 24;
constexpr std::size_t kCertificatesMax = 90;

LeaderRule leaders_of(Cursor& cursor, std::size_t members) {
    switch (cursor.below(4)) {
        case 0:
            return RoundRobin{};
        case 1:
            return ReputationRule{};
        case 2: {
            ReputationRule rule;
            rule.proposer_window = 1 + cursor.below(12);
            rule.voter_window = 1 + cursor.below(12);
            rule.failure_threshold_percent = cursor.below(101);
            return rule;
        }
        default: {
            LeaderTable table;
            table.otherwise = ValidatorIndex{static_cast<std::uint16_t>(cursor.below(members))};
            for (std::uint64_t round = 1 + cursor.below(2); round <= kRoundsMax; round += 1 + cursor.below(4))
                table.leaders[Round{round}] =
                    ValidatorIndex{static_cast<std::uint16_t>(cursor.below(members))};
            return table;
        }
    }
}

OrderingConfig config_of(Cursor& cursor, std::size_t members) {
    OrderingConfig config;
    config.mode = cursor.below(2) == 0 ? OrderingMode::shoal : OrderingMode::bullshark;
    config.leaders = leaders_of(cursor, members);
    config.window = 1 + cursor.below(20);
    config.first_instance_round = Round{1 + cursor.below(4)};
    config.batch_life = 2 + cursor.below(12);
    return config;
}

/// A DAG as the input describes it: each round a mask of authors, each certificate a mask of parents, which
/// is filled up to a quorum.
std::vector<VerifiedCertificate> dag_of(Cursor& cursor, const Committee& committee) {
    std::vector<VerifiedCertificate> all;
    std::vector<VerifiedCertificate> below;
    for (std::uint64_t round = 1; round <= kRoundsMax && !cursor.empty(); ++round) {
        const Byte authors = cursor.u8();
        std::vector<VerifiedCertificate> row;
        for (std::uint16_t author = 0; author < committee.size(); ++author) {
            if ((authors >> author & 1U) == 0) continue;
            Header header;
            header.round = Round{round};
            header.author = ValidatorIndex{author};
            const Byte parents = cursor.u8();
            AuthorSet named;
            const auto name_those = [&](auto wanted) {
                for (const VerifiedCertificate& parent : below) {
                    const ValidatorIndex index = parent->header.author;
                    if (wanted(index)) named.insert(index);
                }
            };
            name_those([&](ValidatorIndex index) { return (parents >> index.value() & 1U) != 0; });
            name_those([&](ValidatorIndex) { return !committee.is_quorum(named); });
            if (round > 1 && !committee.is_quorum(named)) return all;
            for (const VerifiedCertificate& parent : below) {
                if (named.contains(parent->header.author))
                    header.parents.push_back({parent->header.author, parent->header.digest});
            }
            if ((parents & 0x80U) != 0) {
                const Round sealed = dag::below(header.round, cursor.below(8));
                // A batch has one digest and one round in which it was sealed.
                const std::uint64_t number = cursor.below(4) * 100 + sealed.value();
                header.payload.push_back(
                    dag::test::batch(static_cast<std::uint32_t>(number), sealed.value()));
            }
            row.push_back(dag::test::certificate_of(committee, std::move(header)));
            if (all.size() + row.size() >= kCertificatesMax) break;
        }
        all.insert(all.end(), row.begin(), row.end());
        if (row.empty() || all.size() >= kCertificatesMax) break;
        below = std::move(row);
    }
    return all;
}

std::vector<Digest> digests(const std::vector<CommitPtr>& commits) {
    std::vector<Digest> all;
    for (const CommitPtr& commit : commits) all.push_back(commit->digest);
    return all;
}

void ordering(ByteView input) {
    Cursor cursor(input);
    std::vector<Stake> stakes(1 + cursor.below(7));
    for (Stake& stake : stakes) stake = 1 + cursor.below(4);
    const Committee committee = dag::test::committee_of(stakes);
    const OrderingConfig config = config_of(cursor, committee.size());
    const std::size_t order = cursor.u8();
    const std::vector<VerifiedCertificate> certificates = dag_of(cursor, committee);

    Oracle oracle(config, committee);
    for (const auto& certificate : certificates) oracle.insert(certificate);
    oracle.evaluate();
    std::vector<Digest> expected;
    for (const Commit& commit : oracle.commits()) expected.push_back(commit.digest);

    // By rounds, looking once at the end.
    Node whole(committee, config);
    for (const auto& certificate : certificates)
        MONODON_CHECK(whole.graph.insert(certificate) == Insertion::inserted);
    whole.evaluate();
    MONODON_CHECK(digests(whole.commits) == expected);

    // In another order, looking after each; what comes too early is kept until its parents are there. It
    // drops what no anchor can reach.
    Node other(committee, config);
    std::vector<VerifiedCertificate> waiting(certificates.begin(), certificates.end());
    for (std::size_t turn = 0; !waiting.empty(); ++turn) {
        bool grown = false;
        for (std::size_t step = 0; step < waiting.size(); ++step) {
            const std::size_t at = (order * (turn + 1) + step) % waiting.size();
            const Insertion inserted = other.graph.insert(waiting[at]);
            if (inserted == Insertion::missing_parents) continue;
            MONODON_CHECK(inserted == Insertion::inserted || inserted == Insertion::below_floor);
            waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
            grown = true;
            break;
        }
        MONODON_CHECK(grown);
        other.evaluate();
        if (const CommitPtr& last = other.orderer.last())
            other.graph.collect(below(last->anchor.round, config.window + 1));
    }
    MONODON_CHECK(digests(other.commits) == expected);
    MONODON_CHECK(consensus_state_digest(committee, other.orderer.state()) ==
                  consensus_state_digest(committee, whole.orderer.state()));
}

std::vector<Seed> ordering_seeds() {
    // members, stakes; mode, leaders, window, first round, life; order; rounds.
    const auto full = [](Bytes bytes, std::size_t rounds, std::size_t members, Byte parents) {
        for (std::size_t round = 0; round < rounds; ++round) {
            bytes.push_back(static_cast<Byte>((1U << members) - 1));
            bytes.insert(bytes.end(), members, parents);
        }
        return bytes;
    };
    return {
        {"full", full({3, 0, 0, 0, 0, 0, 0, 9, 0, 9, 0}, 12, 4, 0x0F)},
        {"reputation", full({3, 0, 1, 2, 3, 0, 1, 4, 0, 9, 5}, 16, 4, 0x07)},
        {"bullshark", full({3, 0, 0, 0, 0, 1, 0, 9, 0, 9, 77}, 12, 4, 0x0F)},
        {"few-parents", full({6, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 3, 50, 2, 1, 3, 200}, 10, 7, 0x00)},
        {"table", full({3, 0, 0, 0, 0, 0, 3, 1, 0, 2, 0, 1, 1, 2, 1, 3, 0, 0, 0, 9, 0, 9, 1}, 12, 4, 0x0D)}};
}

const Registration kOrdering{{
    {"ordering", "any DAG, any order of arrival: the sequence of the rules as the tests' oracle has them",
     400, ordering, ordering_seeds},
}};

}  // namespace

}  // namespace monodon::fuzz::ordering_target
