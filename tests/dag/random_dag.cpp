#include "tests/dag/random_dag.hpp"

#include <algorithm>
#include <map>

#include "tests/dag/dag_builder.hpp"

namespace monodon::dag::test {

namespace {

ValidatorIndex index_of(std::uint64_t value) { return ValidatorIndex{static_cast<std::uint16_t>(value)}; }

/// How lossy a DAG is, in percent.
struct Weather {
    /// A member makes a certificate in a round.
    std::uint64_t present;
    /// A certificate beyond the quorum becomes a parent.
    std::uint64_t named;
    /// A certificate names a batch.
    std::uint64_t loaded;
    /// Certificates of these members are hardly ever among the first that others see ..
    AuthorSet slow;
    /// .. but now and then, in percent.
    std::uint64_t heeded;
    /// Rounds in which the members of `outage` are silent, as far as a quorum is left.
    std::uint64_t outage_first;
    std::uint64_t outage_last;
    AuthorSet outage;
};

std::vector<Stake> draw_stakes(Random& random) {
    std::vector<Stake> stakes(random.chance(5) ? random.between(1, 3) : random.between(4, 8));
    const std::uint64_t spread = random.chance(50) ? 1 : random.between(2, 10);
    for (Stake& stake : stakes) stake = random.between(1, spread);
    return stakes;
}

AuthorSet draw_members(Random& random, std::size_t members, std::uint64_t percent) {
    AuthorSet set;
    for (std::uint64_t at = 0; at < members; ++at) {
        if (random.chance(percent)) set.insert(index_of(at));
    }
    return set;
}

/// A table prefers slow members: anchors with little support are where the modes and rules differ.
LeaderTable draw_table(Random& random, std::size_t members, std::uint64_t rounds, const AuthorSet& slow) {
    LeaderTable table;
    const std::uint64_t preference = random.between(0, 100);
    const auto draw = [&] {
        const auto author = index_of(random.below(members));
        return slow.empty() || slow.contains(author) || !random.chance(preference) ? author : slow.first();
    };
    table.otherwise = draw();
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        if (random.chance(80)) table.leaders[Round{round}] = draw();
    }
    return table;
}

LeaderRule draw_rule(Random& random, std::size_t members, std::uint64_t rounds, const AuthorSet& slow) {
    switch (random.below(4)) {
        case 0:
            return RoundRobin{};
        case 1:
            return draw_table(random, members, rounds, slow);
        case 2:
            return ReputationRule{};
        default: {
            ReputationRule rule;
            rule.proposer_window = random.between(1, 12);
            rule.voter_window = random.between(1, 12);
            rule.failure_threshold_percent = 10 * random.between(0, 10);
            return rule;
        }
    }
}

OrderingConfig draw_config(Random& random, std::size_t members, std::uint64_t rounds, const AuthorSet& slow) {
    OrderingConfig config;
    config.mode = random.chance(70) ? OrderingMode::shoal : OrderingMode::bullshark;
    config.leaders = draw_rule(random, members, rounds, slow);
    config.window = random.chance(50) ? random.between(1, 4) : random.between(5, 20);
    config.first_instance_round = Round{random.chance(80) ? 1 : random.between(1, 4)};
    config.batch_life = random.between(2, 12);
    return config;
}

Weather draw_weather(Random& random, std::size_t members, std::uint64_t rounds) {
    Weather weather{};
    weather.present = random.between(40, 100);
    weather.named = random.between(0, 100);
    weather.loaded = random.between(0, 60);
    weather.slow = draw_members(random, members, random.between(0, 50));
    weather.heeded = random.between(0, 40);
    if (random.chance(30)) {
        weather.outage_first = random.between(1, rounds);
        weather.outage_last = random.between(weather.outage_first, rounds);
        weather.outage = draw_members(random, members, 30);
    }
    return weather;
}

/// Members in a random order, those to avoid last.
std::vector<ValidatorIndex> draw_order(Random& random, const AuthorSet& from, const AuthorSet& avoid) {
    std::vector<ValidatorIndex> order;
    from.for_each([&](ValidatorIndex author) { order.push_back(author); });
    for (std::size_t left = order.size(); left > 1; --left)
        std::swap(order[left - 1], order[random.below(left)]);
    std::stable_partition(order.begin(), order.end(),
                          [&](ValidatorIndex author) { return !avoid.contains(author); });
    return order;
}

/// A quorum out of `from`, and of the rest each by chance.
AuthorSet draw_quorum(Random& random, const Committee& committee, const AuthorSet& from,
                      const AuthorSet& avoid, std::uint64_t percent) {
    AuthorSet chosen;
    for (const ValidatorIndex author : draw_order(random, from, avoid)) {
        const bool wanted = !avoid.contains(author) && random.chance(percent);
        if (!committee.is_quorum(chosen) || wanted) chosen.insert(author);
    }
    return chosen;
}

}  // namespace

std::uint64_t Random::next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state_;
    value = (value ^ value >> 30U) * 0xbf58476d1ce4e5b9U;
    value = (value ^ value >> 27U) * 0x94d049bb133111ebU;
    return value ^ value >> 31U;
}

RandomDag::RandomDag(std::uint64_t seed) {
    Random random(seed);
    stakes = draw_stakes(random);
    const std::uint64_t rounds = random.between(4, 18);
    const Weather weather = draw_weather(random, stakes.size(), rounds);
    config = draw_config(random, stakes.size(), rounds, weather.slow);
    const Committee committee = committee_of(stakes);

    std::map<ValidatorIndex, Digest> before;
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        AuthorSet silent;
        if (round >= weather.outage_first && round <= weather.outage_last) silent = weather.outage;
        AuthorSet there;
        for (const auto& [author, digest] : before) there.insert(author);

        std::map<ValidatorIndex, Digest> present;
        draw_quorum(random, committee, committee.everybody(), silent, weather.present)
            .for_each([&](ValidatorIndex author) {
                Header header;
                header.round = Round{round};
                header.author = author;
                if (random.chance(weather.loaded)) {
                    const std::uint64_t number = random.below(std::min<std::uint64_t>(2 * round, 30));
                    header.payload.push_back(batch(static_cast<std::uint32_t>(number), number / 2));
                }
                const AuthorSet avoid = random.chance(weather.heeded) ? AuthorSet{} : weather.slow;
                draw_quorum(random, committee, there, avoid, weather.named)
                    .for_each([&](ValidatorIndex parent) {
                        header.parents.push_back({parent, before.at(parent)});
                    });
                certificates.push_back(certificate_of(committee, std::move(header)));
                present.emplace(author, certificates.back()->ref().digest);
            });
        before = std::move(present);
    }
}

std::vector<VerifiedCertificate> RandomDag::shuffled(Random& random) const {
    std::map<HeaderRef, std::size_t> position;
    std::vector<std::vector<std::size_t>> children(certificates.size());
    std::vector<std::size_t> missing(certificates.size());
    std::vector<std::size_t> ready;
    for (std::size_t at = 0; at < certificates.size(); ++at) {
        const Header& header = certificates[at]->header;
        position.emplace(header.ref(), at);
        missing[at] = header.parents.size();
        if (missing[at] == 0) ready.push_back(at);
        for (const Parent& parent : header.parents) {
            children[position.at({below(header.round, 1), parent.author, parent.header})].push_back(at);
        }
    }
    std::vector<VerifiedCertificate> order;
    while (!ready.empty()) {
        std::swap(ready[random.below(ready.size())], ready.back());
        const std::size_t chosen = ready.back();
        ready.pop_back();
        order.push_back(certificates[chosen]);
        for (const std::size_t child : children[chosen]) {
            if (--missing[child] == 0) ready.push_back(child);
        }
    }
    return order;
}

}  // namespace monodon::dag::test
