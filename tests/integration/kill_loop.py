#!/usr/bin/env python3
"""kill_loop.py MONODON [--loops N]: one validator after the other is killed (SIGKILL) under load and started
again, N times. After each time: what was acknowledged as durable is there, no batch comes twice, and the
commits of the restarted validator are those of the others. No transaction is executed twice: clients offer
what was executed again, in other batches, after they have written over it."""

import argparse
import http.client
import itertools
import json
import random
import sys
import threading
import time

from harness import Load, Wrong, check, put_bytes, run, wait_until

SEED = 1
# What a loop costs is mostly rounds: quicker ones would only show more of the same.
GAP_SECONDS = 3
SETTINGS = ("--set", "consensus.min_round_delay=100ms")


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
    """What the clients were told, and how far it was looked for at each validator."""

    def __init__(self, load):
        self.load = load
        self.looked_for = {}

    def check_new(self, committee, names, known=None):
        """What was acknowledged since a validator was last asked, up to `known` or now, is there or comes."""
        known = known or self.load.known()
        for name in names:
            left = known[self.looked_for.get(name, 0):]

            def all_there():
                nonlocal left
                values = committee.read_many(name, [key for key, _ in left])
                left = [each for each, value in zip(left, values) if value != each[1]]
                return not left

            try:
                wait_until(f"all acknowledged keys at {name}", all_there)
            except Wrong as wrong:
                raise Wrong(f"{wrong}; {len(left)} are missing, for example {left[:3]}") from wrong
            self.looked_for[name] = len(known)


class Overwritten:
    """A client for each validator that has a value executed, has it overwritten, and then offers the first
    transaction again to each of the others, byte for byte, as a client does that has lost its answer.
    Executed a second time, in whatever batch and life, it would bring the old value back."""

    def __init__(self, committee):
        self.committee = committee
        self.final = {}
        self.offered_again = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(name,), daemon=True) for name in committee.names
        ]
        for thread in self.threads:
            thread.start()

    def run(self, name):
        others = itertools.cycle(each for each in self.committee.names if each != name)
        count = 0
        while not self.stopping.wait(0.2):
            key = f"over-{name}-{count}"
            count += 1
            first = put_bytes(key, "old")
            try:
                if self.executed(name, first) != "ok" or self.executed(name, put_bytes(key, "new")) != "ok":
                    continue
                with self.lock:
                    self.final[key] = "new"
                for _ in range(len(self.committee.names) - 1):
                    again = self.executed(next(others), first)
                    with self.lock:
                        self.offered_again += again is not None
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                pass  # one of them is down: what it has not answered is not known

    def executed(self, name, transaction):
        status, receipt = self.committee.submit(name, transaction, "executed", "20s")
        return receipt.get("result") if status == 200 and receipt.get("status") == "executed" else None

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=200)
            check(not thread.is_alive(), "a client that offers again hangs")

    def check_all(self, names):
        """At the end, with nothing on its way any more. Gives how many were offered again."""
        check(self.final and self.offered_again > 0, "nothing was offered a second time")
        for name in names:
            values = self.committee.read_many(name, list(self.final))
            wrong = [key for key, value in zip(self.final, values) if value != "new"]
            check(not wrong, f"{name} has old values again in {len(wrong)} keys, for example {wrong[:3]}")
        return (f"{len(self.final)} values overwritten, {self.offered_again} old ones offered again: "
                "none came back")


class Phases:
    """Where the time goes."""

    def __init__(self):
        self.seconds = {}
        self.gaps_cut = 0
        self.since = time.monotonic()

    def end(self, name):
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0) + now - self.since
        self.since = now

    def text(self, loops):
        return ", ".join(f"{name} {1000 * seconds / loops:.0f}" for name, seconds in self.seconds.items())


def goes_on(committee, reference, commits):
    """Whether the others make so many commits without the victim. They need not: where the others were killed
    so often that all weight is its own, most rounds have no anchor until it is back."""
    wanted = committee.status(reference)["commit"] + commits
    until = time.monotonic() + GAP_SECONDS
    while time.monotonic() < until:
        if committee.status(reference)["commit"] >= wanted:
            return True
        time.sleep(0.02)
    return False


def loop(committee, processes, victim, reference, chain, acknowledged, draw, phases):
    # Within a round, within a sync, between the two: wherever it happens to be.
    acknowledged.load.wait_for(draw.randint(1, 20))
    phases.end("load")
    processes[victim].kill()
    processes[victim].wait()
    phases.end("kill")
    with_gap = draw.random() < 0.5
    if with_gap:
        phases.gaps_cut += not goes_on(committee, reference, draw.randint(1, 6))
    phases.end("gap")
    processes[victim] = committee.start(victim, *SETTINGS)
    wanted = committee.status(reference)["commit"]
    wait_until(f"{victim} to answer", lambda: committee.status(victim)["pid"] == processes[victim].pid, 120)
    known = acknowledged.load.known()
    phases.end("start")
    wait_until(f"commit {wanted} executed by {victim}",
               lambda: committee.status(victim)["executed"] >= wanted, 120)
    phases.end("catch up")
    before = chain.last
    chain.extend(committee.commits(reference, before + 1))
    chain.compare(victim, committee.commits(victim, before + 1))
    phases.end("compare chains")
    acknowledged.check_new(committee, [victim, reference], known)
    phases.end("look for keys")
    return len(known)


def test_of(loops):
    def test(committee):
        committee.up()
        committee.down()
        processes = {name: committee.start(name, *SETTINGS) for name in committee.names}
        for name in committee.names:
            wait_until(f"{name} to commit", lambda n=name: committee.status(n)["commit"] > 0)
        load = Load(committee, committee.names, wait="durable", threads=1, pause=0.05)
        chain, acknowledged, draw, phases = Chain(), Acknowledged(load), random.Random(SEED), Phases()
        overwritten = Overwritten(committee)
        begin = time.monotonic()
        for at in range(loops):
            victim, reference = draw.sample(committee.names, 2)
            try:
                known = loop(committee, processes, victim, reference, chain, acknowledged, draw, phases)
            except (OSError, http.client.HTTPException) as error:
                raise Wrong(f"loop {at} ({victim} killed, beside {reference}): {error}") from error
            if (at + 1) % 50 == 0 or at + 1 == loops:
                took = time.monotonic() - begin
                print(f"{at + 1} loops in {took:.0f} s: {known} acknowledged, none lost; {chain.last} "
                      f"commits equal, {len(chain.batches)} batches, none twice\n"
                      f"  ms a loop: {phases.text(at + 1)}; gaps cut short: {phases.gaps_cut}", flush=True)
        load.stop()
        overwritten.stop()
        committee.wait_caught_up(seconds=120)
        print(overwritten.check_all(committee.names))
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
    parser.add_argument("--keep", action="store_true", help="leave the homes if something is wrong")
    options = parser.parse_args()
    sys.exit(run(test_of(options.loops), keep=options.keep))


main()
