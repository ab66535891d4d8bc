#!/usr/bin/env python3
"""One validator sends no batch to anybody while another is dead: voters fetch what its headers name
(V5a), so rounds and commits go on and its own transactions are committed."""

import sys

from harness import check, run


def test(committee):
    committee.up("--without", "v3", "--node-set", "v0:debug.drop_outgoing=batch")
    names = ["v0", "v1", "v2"]
    latencies = []
    for count in range(5):
        receipt = committee.put("v0", f"unsent-{count}", "fetched", "committed")
        latencies.append(receipt["latency_ms"]["committed"])
        committee.put("v1", f"sent-{count}", "pushed", "committed")
    at = committee.status("v1")["commit"]
    committee.wait_commit("v1", at + 3)
    committee.wait_caught_up(names)
    for name in names:
        for count in range(5):
            check(committee.read(name, f"unsent-{count}") == "fetched", f"{name} lacks unsent-{count}")
            check(committee.read(name, f"sent-{count}") == "pushed", f"{name} lacks sent-{count}")
    pairs = committee.verify(names)
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    times = ", ".join(f"{each:.0f}" for each in latencies)
    print(f"transactions of the one that sends no batch: {times} ms to commit")


sys.exit(run(test))
