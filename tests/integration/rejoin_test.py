#!/usr/bin/env python3
"""One validator of four is killed under load and comes back: it catches up, and its chain is that of
the others."""

import sys

from harness import Load, check, run


def test(committee):
    # Slower rounds than the machine could make: else it depends on its other work how fast the others are.
    committee.up("--set", "consensus.min_round_delay=25ms")
    others = ["v0", "v1", "v3"]
    load = Load(committee, others, wait="committed")
    load.wait_for(50)
    committee.kill("v2")
    before = committee.status("v0")["commit"]
    committee.wait_commit("v0", before + 30)
    load.wait_for(100)
    committee.add("v2")
    away = committee.status("v0")["commit"]
    committee.wait_commit("v2", away)
    load.wait_for(50)
    load.stop()
    last = committee.wait_caught_up()
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    load.check_present(committee.names)
    receipt = committee.put("v2", "back", "again", "executed")
    check(receipt["status"] == "executed", f"v2 does not commit after it came back: {receipt}")
    committee.check_no_batch_twice("v2")
    print(f"killed at commit {before}, back at {away}, caught up to {last}; {load.count()} transactions")


sys.exit(run(test))
