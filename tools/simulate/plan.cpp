#include "tools/simulate/plan.hpp"

#include <algorithm>

#include "dag/model/committee.hpp"

namespace monodon::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

FaultSet draw_faults(Random& random) {
    FaultSet faults;
    // Every tenth run has no fault at all: what breaks it needs none.
    if (random.chance(10)) return faults;
    const std::uint64_t percent = random.between(5, 35);
    // In a small committee one Byzantine member leaves no stake that may crash.
    const bool byzantine = random.chance(45);
    for_each_fault([&](Fault fault) {
        if (random.chance(percent) && (byzantine || !is_byzantine(fault))) faults.insert(fault);
    });
    return faults;
}

LinkRule draw_links(const FaultSet& faults, Random& random) {
    // Thousandths of a millisecond, of all sizes from a rack to the other side of the world.
    static constexpr std::array<std::uint64_t, 7> kDelays = {50, 200, 500, 2'000, 10'000, 50'000, 150'000};
    LinkRule links;
    links.delay = microseconds(kDelays.at(random.below(kDelays.size())));
    links.jitter = links.delay * random.between(0, 100) / 100;
    if (faults.contains(Fault::loss)) links.loss_percent = static_cast<unsigned>(random.between(1, 30));
    if (faults.contains(Fault::duplicate)) {
        links.duplicate_percent = static_cast<unsigned>(random.between(1, 30));
    }
    links.reorder = faults.contains(Fault::reorder);
    if (faults.contains(Fault::bandwidth)) links.bytes_per_second = random.between(100, 2'000) * 1'000;
    return links;
}

dag::EngineConfig draw_engine(Random& random) {
    dag::EngineConfig engine;
    static constexpr std::array<std::uint64_t, 3> kWindows = {5, 10, 20};
    engine.ordering.window = kWindows.at(random.below(kWindows.size()));
    // At the most; each member draws its own below it.
    engine.retention = engine.ordering.window * random.between(1, 3) + 1;
    if (random.chance(15)) engine.ordering.leaders = dag::RoundRobin{};
    if (random.chance(15)) engine.ordering.mode = dag::OrderingMode::bullshark;
    if (random.chance(20)) engine.min_round_delay = milliseconds(random.between(0, 50));
    return engine;
}

/// Members up to stake `left`, the first of them as many as there are kinds of misbehaviour to choose from.
void draw_members(Plan& plan, const dag::Committee& committee, dag::Stake left, Random& random) {
    std::vector<dag::ValidatorIndex> order;
    for (std::size_t at = 0; at < committee.size(); ++at) {
        order.insert(order.begin() + static_cast<std::ptrdiff_t>(random.below(at + 1)),
                     dag::ValidatorIndex{static_cast<std::uint16_t>(at)});
    }
    const auto take = [&]() -> std::optional<dag::ValidatorIndex> {
        const auto at = std::find_if(order.begin(), order.end(),
                                     [&](dag::ValidatorIndex each) { return committee.stake(each) <= left; });
        if (at == order.end()) return std::nullopt;
        const dag::ValidatorIndex chosen = *at;
        left -= committee.stake(chosen);
        order.erase(at);
        return chosen;
    };
    const bool dead_first = random.chance(50);
    if (plan.faults.contains(Fault::dead) && dead_first) plan.dead = take();
    if (plan.faults.any_byzantine()) {
        do {
            if (const auto chosen = take()) plan.byzantine.push_back(*chosen);
        } while (random.chance(50) && left > 0);
    }
    if (plan.faults.contains(Fault::dead) && !dead_first) plan.dead = take();
    if (plan.faults.contains(Fault::mute)) plan.mute = take();
    plan.spare = left;
}

}  // namespace

Plan draw_plan(const Options& options, const dag::Committee& committee) {
    const Random source(options.seed);
    Plan plan;
    Random faults = source.fork(1);
    plan.faults = options.faults ? *options.faults : draw_faults(faults);
    Random links = source.fork(2);
    plan.links = options.links ? *options.links : draw_links(plan.faults, links);
    Random engine = source.fork(3);
    plan.engine = options.engine ? *options.engine : draw_engine(engine);
    if (options.leaders) {
        plan.engine.ordering.mode = dag::OrderingMode::shoal;
        plan.engine.ordering.leaders = *options.leaders;
    }
    Random depths = source.fork(10);
    plan.observers = options.observers;
    for (std::size_t at = 0; at < committee.size() + plan.observers; ++at) {
        const std::uint64_t drawn = depths.between(plan.engine.ordering.window + 1, plan.engine.retention);
        plan.retention.push_back(options.engine ? plan.engine.retention : drawn);
    }
    Random rest = source.fork(4);
    plan.disk_delay = microseconds(rest.between(50, 5'000));
    if (options.disk_delay) plan.disk_delay = *options.disk_delay;
    plan.apply_delay = microseconds(rest.between(10, 3'000));
    Random members = source.fork(5);
    draw_members(plan, committee, options.faulty.value_or(committee.faulty()), members);
    const bool must_adopt = plan.dead.has_value() || !plan.byzantine.empty();
    // A short life makes batches expire; but those of a member that is gone nobody can seal again.
    std::uint64_t must_expire = 0;
    if (!must_adopt && !options.engine && rest.chance(20)) {
        plan.engine.ordering.batch_life = plan.engine.ordering.window * rest.between(2, 6);
        must_expire = 4 * plan.engine.ordering.batch_life;
    }

    // A round takes three delays, a sync, and whatever its timers add.
    const Duration delay = plan.links.delay + plan.links.jitter;
    const Duration round = delay * 4 + plan.disk_delay * 2 + plan.engine.min_round_delay + milliseconds(5);
    plan.load_interval = round * rest.between(50, 400) / 100;
    const auto rounds = static_cast<std::int64_t>(options.rounds);
    plan.fault_interval = std::max<Duration>(round * rounds / 8, milliseconds(20));
    plan.hurt_limit = round * rounds * 2 + seconds(5);
    // Adoption takes two windows and eight rounds a member, and an idle round takes a second (A9).
    const std::uint64_t adoption = must_adopt ? 2 * plan.engine.ordering.window + 8 * committee.size() : 0;
    plan.heal_limit =
        seconds(60) + round * 100 + (round + seconds(2)) * static_cast<std::int64_t>(adoption + must_expire);
    constexpr std::int64_t kRoundsLedAstray = 5'000;
    plan.schedule_limit = (round + seconds(2)) * kRoundsLedAstray;
    return plan;
}

}  // namespace monodon::sim
