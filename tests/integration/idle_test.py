#!/usr/bin/env python3
"""Without transactions rounds are slow and the disk does not grow; a single transaction is quick all
the same."""

import sys
import time

from harness import check, percentile, run

ROUNDS = 4
TRANSACTIONS = 15


def test(committee):
    committee.up()
    committee.put("v0", "first", "1", "executed")
    used = committee.used_bytes("v0")
    begin = committee.status("v0")
    since = time.monotonic()
    committee.wait_commit("v0", begin["commit"] + ROUNDS)
    seconds = time.monotonic() - since
    end = committee.status("v0")
    rate = (end["round"] - begin["round"]) / seconds
    check(rate < 5, f"{rate:.1f} rounds a second without a transaction")
    # A round is four certificates, and what the first transaction left comes on top.
    grown = committee.used_bytes("v0") - used
    check(grown < ROUNDS * 64 * 1024, f"{grown} bytes more in the store after {ROUNDS} idle commits")

    latencies = []
    for count in range(TRANSACTIONS):
        name = committee.names[count % committee.size]
        latencies.append(committee.put(name, f"single-{count}", "x")["latency_ms"]["committed"])
    # Far above what it takes, far below the second that an idle round takes.
    check(percentile(latencies, 0.5) < 500, f"single transactions took {latencies} ms")
    print(f"{rate:.2f} rounds a second when idle; a single transaction commits in p50 "
          f"{percentile(latencies, 0.5):.0f} ms, p90 {percentile(latencies, 0.9):.0f} ms")


sys.exit(run(test))
