#!/usr/bin/env python3
"""Without transactions rounds are slow and leave little on the disk (retention_test.py: and in the end
nothing); a single transaction is quick all the same."""

import sys
import time

from harness import check, percentile, run

ROUNDS = 4
TRANSACTIONS = 20
# The goal, in ms. A machine under load has windows in which it does not hold: one in which it does is enough,
# for a node that waits for a timer (a batch, a round, an acknowledgement) has none.
P50 = 50
WINDOWS_SECONDS = 100
STAGES = ("durable", "certified", "committed", "executed")


def window(committee, number):
    """Single transactions, each given when the one before is executed: p50 in ms by stage."""
    receipts = []
    for count in range(TRANSACTIONS):
        name = committee.names[count % committee.size]
        receipts.append(committee.put(name, f"single-{number}-{count}", "x", "executed")["latency_ms"])
    return {stage: percentile([receipt[stage] for receipt in receipts], 0.5) for stage in STAGES}


def best_window(committee):
    """The first window within the goal; else the best there was."""
    windows = []
    until = time.monotonic() + WINDOWS_SECONDS
    while not windows or (windows[-1]["committed"] >= P50 and time.monotonic() < until):
        windows.append(window(committee, len(windows)))
    return min(windows, key=lambda each: each["committed"]), len(windows)


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

    best, windows = best_window(committee)
    check(best["committed"] < P50, f"single transactions in the best of {windows} windows, p50: {best}")
    stages = ", ".join(f"{stage} {best[stage]:.0f} ms" for stage in STAGES)
    print(f"{rate:.2f} rounds a second when idle; single transactions in window {windows}: p50 {stages}")


sys.exit(run(test))
