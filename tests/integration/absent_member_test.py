#!/usr/bin/env python3
"""One validator of four never starts: commits go on, its leader slots are skipped, then avoided by
reputation."""

import sys

from harness import Load, check, run, wait_until

ABSENT = 3
TAIL = 60


def skipped_slots(commits):
    """How often a slot of the absent member was skipped."""
    return sum(1 for commit in commits for _, author in commit["failed"] if author == ABSENT)


def weight(committee):
    return committee.status("v0")["validators"][ABSENT]["weight"]


def test(committee):
    committee.up("--without", "v3")
    names = ["v0", "v1", "v2"]
    load = Load(committee, names, wait="committed", threads=1)
    load.wait_for(10)
    wait_until("a skipped leader slot of v3", lambda: skipped_slots(committee.commits("v0")) > 0)
    others = min(entry["weight"] for entry in committee.status("v0")["validators"][:ABSENT])
    wait_until("a weight of v3 far below the others", lambda: weight(committee) * 10 < others)
    at = committee.status("v0")["commit"]
    committee.wait_commit("v0", at + TAIL, 120)
    load.stop()
    late = skipped_slots(committee.commits("v0", at + 1)[:TAIL])
    # With its weight a slot of v3 is chosen once in some hundred rounds.
    check(late <= 3, f"{late} slots of v3 in {TAIL} commits after its weight had fallen")
    check(committee.status("v0")["anchors_skipped"] > 0, "no anchor was counted as skipped")
    committee.wait_caught_up(names)
    load.check_present(names)
    pairs = committee.verify(names)
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    early = skipped_slots(committee.commits("v0")) - late
    print(f"skipped {early} times in the first {at} commits, {late} times in the {TAIL} after them")


sys.exit(run(test))
