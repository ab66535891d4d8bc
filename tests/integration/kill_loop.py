#!/usr/bin/env python3
"""kill_loop.py MONODON [--loops N]: one validator after the other is killed (SIGKILL) under load and started
again, N times. After each time: what was acknowledged as durable is there, no batch comes twice, and the
commits of the restarted validator are those of the others."""

import argparse
import http.client
import random
import sys
import time

from harness import Load, Wrong, check, run, wait_until

SEED = 1


class Chain:
    """The one sequence of commits, as far as it was looked at."""

    def __init__(self):
        self.digests = {}
        self.batches = set()
        self.last = 0

    def extend(self, commits):
        for commit in commits:
            index = commit["index"]
            check(index == self.last + 1, f"commit {index} follows {self.last}")
            for batch in commit["batches"]:
                check(batch not in self.batches, f"batch {batch} comes again in commit {index}")
                self.batches.add(batch)
            self.digests[index] = commit["digest"]
            self.last = index

    def compare(self, name, commits):
        for commit in commits:
            known = self.digests.get(commit["index"])
            check(known in (None, commit["digest"]), f"{name} has another commit {commit['index']}")


class Acknowledged:
    """What the clients were told, and how far it was looked for."""

    def __init__(self, load):
        self.load = load
        self.looked_for = {}

    def check_new(self, committee, names):
        with self.load._lock:
            known = list(self.load.acknowledged.items())
        for name in names:
            begin = self.looked_for.get(name, 0)
            connection = committee.api(name)
            for key, value in known[begin:]:
                wait_until(f"acknowledged key {key} at {name}",
                           lambda k=key, v=value: committee.read(name, k, connection) == v)
            connection.close()
            self.looked_for[name] = len(known)
        return len(known)


def loop(committee, processes, victim, reference, chain, acknowledged, draw):
    # Within a round, within a sync, between the two: wherever it happens to be.
    more = draw.randint(1, 40)
    acknowledged.load.wait_for(more)
    processes[victim].kill()
    processes[victim].wait()
    with_gap = draw.random() < 0.5
    if with_gap:
        committee.wait_commit(reference, committee.status(reference)["commit"] + draw.randint(1, 30))
    processes[victim] = committee.start(victim)
    wanted = committee.status(reference)["commit"]
    wait_until(f"commit {wanted} executed by {victim}",
               lambda: committee.status(victim)["executed"] >= wanted, 120)
    before = chain.last
    chain.extend(committee.commits(reference, before + 1))
    chain.compare(victim, committee.commits(victim, before + 1))
    return acknowledged.check_new(committee, [victim, reference])


def test_of(loops):
    def test(committee):
        committee.up("--set", "consensus.min_round_delay=10ms")
        committee.down()
        processes = {name: committee.start(name) for name in committee.names}
        for name in committee.names:
            wait_until(f"{name} to commit", lambda n=name: committee.status(n)["commit"] > 0)
        load = Load(committee, committee.names, wait="durable", threads=1, pause=0.01)
        chain, acknowledged, draw = Chain(), Acknowledged(load), random.Random(SEED)
        begin = time.monotonic()
        for at in range(loops):
            victim, reference = draw.sample(committee.names, 2)
            try:
                known = loop(committee, processes, victim, reference, chain, acknowledged, draw)
            except (OSError, http.client.HTTPException) as error:
                raise Wrong(f"loop {at} ({victim} killed, beside {reference}): {error}") from error
            if (at + 1) % 50 == 0 or at + 1 == loops:
                took = time.monotonic() - begin
                print(f"{at + 1} loops in {took:.0f} s: {known} acknowledged, none lost; {chain.last} "
                      f"commits equal, {len(chain.batches)} batches, none twice", flush=True)
        load.stop()
        committee.wait_caught_up(seconds=120)
        acknowledged.check_new(committee, committee.names)
        pairs = committee.verify()
        check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
        equivocations = [committee.status(name)["equivocations"] for name in committee.names]
        check(not any(equivocations), f"equivocations: {equivocations}")

    return test


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("monodon")
    parser.add_argument("--loops", type=int, default=5)
    sys.exit(run(test_of(parser.parse_args().loops)))


main()
