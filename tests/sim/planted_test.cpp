#include "tests/sim/planted.hpp"

#include <catch2/catch.hpp>

/// One test for each fault of dag/planted.hpp; its tag is the fault's name. README.md has the table.
namespace monodon::sim {

using dag::Planted;

// ---- durable first

TEST_CASE("a vote that leaves before it is durable is found", "[vote-before-durable]") {
    require_found(Planted::vote_before_durable, 1, simulation_with("none"), "4 durable before sent");
}

TEST_CASE("a header that leaves before it is durable is found", "[header-before-durable]") {
    require_found(Planted::header_before_durable, 1, simulation_with("none"), "4 durable before sent");
}

TEST_CASE("a commit that is executed before it is durable is found", "[commit-before-durable]") {
    require_found(Planted::commit_before_durable, 1, simulation_with("none"), "4 durable before executed");
}

// ---- fetching

TEST_CASE("a certificate that is taken by its hash though nothing names it is found", "[unnamed-by-hash]") {
    require_found(Planted::unnamed_by_hash, 150, simulation_with("lying-reply,pause,crash,partition,loss"),
                  "4 one certificate per slot");
}

// ---- thresholds

TEST_CASE("certificates of 2f are found", "[quorum-of-2f]") {
    require_found(Planted::quorum_of_2f, 5, simulation_with("equivocate,loss"), "1 agreement");
}

TEST_CASE("support of f is found", "[support-of-f]") {
    require_found(Planted::support_of_f, 20, simulation_with("loss,partition,slow"), "5 order independent");
}

// ---- ordering

TEST_CASE("a history that reaches to the local graph floor is found", "[history-from-floor]") {
    require_found(Planted::history_from_floor, 20, simulation_with("silent"), "3 causal completeness");
}

TEST_CASE("a history that is one round short is found", "[history-one-short]") {
    require_found(Planted::history_one_short, 5, ordering_by_the_rules(), "another commit");
}

TEST_CASE("reputation from what has arrived is found", "[reputation-from-arrival]") {
    require_found(Planted::reputation_from_arrival, 5, simulation_with("slow,loss,crash"), "1 agreement");
}

TEST_CASE("a schedule that takes effect one anchor late is found", "[schedule-late]") {
    require_found(Planted::schedule_late, 10, ordering_by_the_rules(), "another");
}

TEST_CASE("anchors that are remembered over a commit are found", "[stale-anchors]") {
    require_found(Planted::stale_anchors, 80, simulation_with("slow,loss,crash"), "1 agreement");
}

TEST_CASE("ordering the direct anchor after the first one, unqualified, is found", "[whole-chain]") {
    require_found(Planted::whole_chain, 20, ordering_by_the_rules(), "another");
}

TEST_CASE("ordering a supported anchor without walking back is found", "[no-walk-back]") {
    require_found(Planted::no_walk_back, 20, ordering_by_the_rules(), "another");
}

TEST_CASE("candidates by the parity of their round are found", "[parity-by-round]") {
    require_found(Planted::parity_by_round, 10, ordering_by_the_rules(), "another");
}

TEST_CASE("forgetting what lies below an author's newest ordered certificate is found",
          "[per-author-pruning]") {
    require_found(Planted::per_author_pruning, 20, ordering_by_the_rules(), "another");
}

TEST_CASE("executing batches that have expired is found", "[life-ignored]") {
    require_found(Planted::life_ignored, 5, ordering_by_the_rules(), "another");
}

// ---- restart

TEST_CASE("a second own header after a restart is found", "[own-header-forgotten]") {
    require_found(Planted::own_header_forgotten, 5, simulation_unnoticed("crash,blackout"),
                  "4 one own header");
}

TEST_CASE("a table of votes that is not read at the start is found", "[votes-forgotten]") {
    require_found(Planted::votes_forgotten, 5, simulation_unnoticed("blackout,equivocate,loss"),
                  "4 one vote");
}

TEST_CASE("an executed set that is forgotten at a restart is found", "[executed-forgotten]") {
    require_found(Planted::executed_forgotten, 5, simulation_with("crash,silent,slow"),
                  "2 nothing executed twice");
}

TEST_CASE("ordered certificates that are forgotten at a restart are found", "[ordered-forgotten]") {
    require_found(Planted::ordered_forgotten, 5, simulation_with("crash"), "1 agreement");
}

// ---- votes and headers

TEST_CASE("a vote for a second header of a slot is found", "[equivocation-voted]") {
    require_found(Planted::equivocation_voted, 5, simulation_with("equivocate"), "4 one vote");
}

TEST_CASE("votes for headers whose parents nobody has are found", "[parents-unchecked]") {
    require_found(Planted::parents_unchecked, 10, simulation_with("invalid-parents"), "");
}

TEST_CASE("a vote that is not given again is found", "[vote-not-repeated]") {
    require_found(Planted::vote_not_repeated, 5, simulation_with("loss,partition"), "7 progress");
}

TEST_CASE("headers and certificates that are not sent again are found", "[nothing-resent]") {
    require_found(Planted::nothing_resent, 5, simulation_with("loss,partition"), "7 progress");
}

// ---- batches

TEST_CASE("missing batches that are not fetched are found", "[batch-not-fetched]") {
    require_found(Planted::batch_not_fetched, 5, simulation_with("withhold-batch,loss"), "7 progress");
}

TEST_CASE("a commit that is executed without its batches is found", "[delivered-unstored]") {
    require_found(Planted::delivered_unstored, 5, simulation_with("withhold-batch,loss"), "6 executed");
}

TEST_CASE("batches of the dead that nobody adopts are found", "[not-adopted]") {
    require_found(Planted::not_adopted, 5, simulation_with("dead,loss"), "6 acknowledged");
}

TEST_CASE("own batches that are not brought in again are found", "[not-reinjected]") {
    require_found(Planted::not_reinjected, 20, simulation_with("slow,loss,silent,one-way"), "6 acknowledged");
}

// ---- graph and claims

TEST_CASE("collecting by rounds instead of commits is found", "[collected-by-round]") {
    require_found(Planted::collected_by_round, 40, simulation_with("partition,loss"), "1 agreement");
}

TEST_CASE("one liar who stops the output is found", "[liar-stops-output]") {
    require_found(Planted::liar_stops_output, 5, simulation_with("false-claim"), "1 agreement");
}

TEST_CASE("a member that never catches up by ranges is found", "[never-catches-up]") {
    require_found(Planted::never_catches_up, 20, simulation_with("pause,crash,partition"), "7 progress");
}

// ---- observers

TEST_CASE("an observer that tells anybody anything is found", "[observer-relays]") {
    Options options;
    options.observers = 1;
    options.rounds = 30;
    options.faults = FaultSet::parse("none");
    require_found(Planted::observer_relays, 1, simulation(options), "10 observers only ask");
}

}  // namespace monodon::sim
