#!/usr/bin/env python3
"""Three honest validators, the fourth's key in the hands of the hostile client, and eight observers: the
client picks rows of the table at random for some minutes. Commits never pause for more than 5 s, the memory
of every node returns to what it was, no honest peer is banned, and in the end all have the same commits.

Usage: soak.py MONODON [--minutes 20] [--seed N] [--observers 8]"""

import argparse
import collections
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

try:
    import cryptography  # noqa: F401
except ImportError:
    print("needs the Python package cryptography (Debian: python3-cryptography, tools/setup installs it)")
    sys.exit(77)

from harness import READY, Wrong, check, run, wait_until  # noqa: E402

import hostile_test  # noqa: E402
from arena import INSIDER, MIB, PAUSE_MAX, WITNESS, Arena  # noqa: E402
from peer import Closed  # noqa: E402

ARGUMENTS = argparse.ArgumentParser()
ARGUMENTS.add_argument("monodon")
ARGUMENTS.add_argument("--minutes", type=float, default=20)
ARGUMENTS.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
ARGUMENTS.add_argument("--observers", type=int, default=8)
OPTIONS = ARGUMENTS.parse_args()

# Against the start, and what an allocator keeps of a few MiB is no leak.
RETURNS_WITHIN = 0.2
ALLOCATOR = 8 * MIB
# Caches that grow until they are full would hide a leak, or look like one.
SETTINGS = ("storage.batch_cache=1MiB", "worker.duplicate_window=1024")
WARM = 1000  # transactions
LAG_MAX = 64


def rows():
    return [row for module in hostile_test.MODULES for row in (*module.ROWS, *module.BACKGROUND)]


def resident(arena, names):
    return {name: arena.rss_of(arena.committee.status(name)["pid"]) for name in names}


def settled(arena, names):
    """Their memory once it has not fallen for some looks: what connections held is given back by and by."""
    lowest, unchanged = resident(arena, names), 0
    while unchanged < 10:
        time.sleep(0.5)
        now = resident(arena, names)
        fell = any(now[name] < lowest[name] - MIB // 4 for name in names)
        unchanged = 0 if fell else unchanged + 1
        lowest = {name: min(now[name], lowest[name]) for name in names}
    return lowest


def no_honest_peer_is_banned(committee, names):
    ids = {committee.status(name)["peer_id"]: name for name in names}
    for name in names:
        bans = set(committee.admin(name, "/v1/bans")["bans"])
        hit = {ids.get(each, each) for each in bans} & set(names)
        check(not hit, f"{name} has banned {', '.join(sorted(hit))}")


def attack(arena, row, tally):
    """One row. What it asserts of itself is for the table, where the machine has nothing else to do; here it
    is counted."""
    arena.clock.reset()
    begin = time.monotonic()
    try:
        row(arena)
        tally["as asserted"] += 1
        outcome = "ok"
    except (Wrong, Closed, OSError, ValueError) as error:
        tally["not as asserted"] += 1
        outcome = f"{error!r}"[:200]
    pause = arena.clock.longest
    print(f"{time.monotonic() - begin:6.1f} s  pause {pause:.1f} s  {row.__doc__}  {outcome}", flush=True)
    check(pause < PAUSE_MAX, f"row {row.__doc__}: commits paused for {pause:.1f} s")
    return pause


def test(committee):
    observers = [f"o{index}" for index in range(OPTIONS.observers)]
    settings = [word for each in SETTINGS for word in ("--set", each)]
    arena = Arena(committee, "--observers", OPTIONS.observers, *settings)
    honest = [name for name in committee.names if name != INSIDER] + observers
    dice = random.Random(OPTIONS.seed)
    print(f"seed {OPTIONS.seed}, {OPTIONS.minutes} minutes, {len(honest)} honest nodes", flush=True)
    tally, longest = collections.Counter(), 0.0
    try:
        arena.load.wait_for(WARM, 600)
        before = settled(arena, honest)
        peak = dict(before)
        deadline = time.monotonic() + 60 * OPTIONS.minutes
        while time.monotonic() < deadline:
            longest = max(longest, attack(arena, dice.choice(rows()), tally))
            for name, now in resident(arena, honest).items():
                peak[name] = max(peak[name], now)
            no_honest_peer_is_banned(committee, honest)
        after = settled(arena, honest)
    finally:
        arena.stop()
    figures = {
        name: f"{before[name] / MIB:.1f} MiB, at most {peak[name] / MIB:.1f}, then {after[name] / MIB:.1f}"
        for name in honest
    }
    for name in honest:
        print(f"{name}: {figures[name]}", flush=True)
    for name in honest:
        limit = before[name] * (1 + RETURNS_WITHIN) + ALLOCATOR
        check(after[name] <= limit, f"{name} does not give back what it took: {figures[name]}")
    wait_until("the observers to follow",
               lambda: all((committee.status(name)["lag"] or 0) <= LAG_MAX for name in observers))
    committee.up()
    committee.wait_caught_up([*committee.names, *observers], READY)
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    print(f"{sum(tally.values())} attacks, {tally['not as asserted']} not as the table asserts; longest "
          f"pause {longest:.1f} s; {arena.load.count()} transactions; {WITNESS} at commit "
          f"{committee.status(WITNESS)['commit']}; all {len(pairs)} pairs equal")


if __name__ == "__main__":
    sys.exit(run(test))
