#!/usr/bin/env python3
"""Batches that live for few rounds only. After a restart of all, the store still holds batches from long
before what recovery reads: they have been executed, so they are not brought in again, and every
transaction is ordered once."""

import json
import sys

from harness import Load, check, monodon, run

LIFE = 64  # rounds, the least


def transactions(committee, name):
    return sum(commit["transactions"] for commit in committee.commits(name))


def test(committee):
    # Made, not started: all nodes get their genesis changed in the same way.
    without = [word for name in committee.names for word in ("--without", name)]
    monodon("testnet", "up", "-n", committee.size, "--dir", committee.dir, "--no-wait", *without)
    for place in [committee.dir, *map(committee.home, committee.names)]:
        genesis = json.loads((place / "genesis.json").read_text())
        genesis["ordering"]["batch_life"] = LIFE
        (place / "genesis.json").write_text(json.dumps(genesis))
    committee.up()

    load = Load(committee, committee.names, wait="executed", threads=1)
    load.wait_for(50)
    first = committee.status("v0")["round"]
    while committee.status("v0")["round"] < first + 4 * LIFE:
        load.wait_for(20)
    load.stop()
    check(load.errors == 0, f"{load.errors} clients were cut off")
    committee.wait_caught_up()
    before = transactions(committee, "v0")
    check(before == load.count(), f"{before} ordered of {load.count()}")

    committee.kill(*committee.names)
    committee.up()
    # Long enough for all that would be brought in again to have its commits and to expire once more.
    again = Load(committee, committee.names, wait="executed", threads=1, prefix="again")
    now = committee.status("v0")["round"]
    while committee.status("v0")["round"] < now + 4 * LIFE:
        again.wait_for(20)
    again.stop()
    committee.wait_caught_up()
    for name in committee.names:
        ordered = transactions(committee, name)
        offered = load.count() + again.count()
        check(ordered == offered, f"{name}: {ordered} transactions ordered of {offered}")
        committee.check_no_batch_twice(name)
    load.check_present(committee.names)
    print(f"{load.count()} and {again.count()} transactions, each ordered once")


sys.exit(run(test))
