#!/usr/bin/env python3
"""The disk of a committee that runs without end does not grow without end: beyond what is to be kept,
a commit leaves for each that comes. Rounds are quick and lives short here, so that it can be seen."""

import json
import sys

from harness import check, run, wait_until

KEPT = 1000
FIRST = 100
# All that was kept at first has been replaced by then.
LAST = FIRST + KEPT


def oldest(committee, name):
    return committee.admin(name, "/v1/store")["oldest_commit"]


def test(committee):
    nobody = [word for name in committee.names for word in ("--without", name)]
    committee.up(
        *nobody, "--set", "consensus.idle_round=10ms", "--set", "consensus.min_round_delay=1ms",
        "--set", f"storage.retention_commits={KEPT}",
    )
    # The life of a batch bounds from below what is kept.
    for name in committee.names:
        file = committee.home(name) / "genesis.json"
        genesis = json.loads(file.read_text())
        genesis["ordering"]["batch_life"] = 100
        file.write_text(json.dumps(genesis))
    committee.up()
    wait_until("pruning to begin", lambda: oldest(committee, "v0") >= FIRST, 150)
    early = committee.used_bytes("v0")
    wait_until("more pruning", lambda: oldest(committee, "v0") >= LAST, 150)
    late = committee.used_bytes("v0")
    # Without pruning it would be nearly twice as much; pages that are free for the moment come and go.
    check(late < early * 1.15, f"{late} bytes in use after {LAST} pruned commits, {early} after {FIRST}")
    newest = committee.status("v0")["commit"]
    kept = newest - oldest(committee, "v0")
    check(kept < KEPT * 1.3, f"{kept} commits are kept, {KEPT} are to be")
    committee.put("v0", "still", "here", "executed")
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    print(f"{early} bytes in use after {FIRST} pruned commits, {late} after {LAST}; {kept} commits kept")


sys.exit(run(test))
