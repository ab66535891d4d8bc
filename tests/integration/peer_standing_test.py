#!/usr/bin/env python3
"""One validator is slow (a relay in front of it adds 200 ms and lets 1 MB a second through), one answers
every tenth request wrongly. A node that has to ask others, because it is cut off again and again, sees both
with the reason and asks them less; commits go on; both are what they were when they behave."""

import json
import os
import signal
import socket
import statistics
import sys
import threading
import time

from harness import Load, check, monodon, run

ASKER, GOOD, WRONG, SLOW = "v0", "v1", "v2", "v3"
HALF_LIFE = 30
# Requests move away within this.
SOON = 10


class Relay:
    """Stands in for a validator: what it hears it passes on `delay` later, at most `rate` bytes a second."""

    def __init__(self, target):
        self.target = target
        self.delay, self.rate = 0.2, 1_000_000
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def behave(self):
        self.delay, self.rate = 0.0, 1_000_000_000

    def _accept(self):
        while True:
            near, _ = self.server.accept()
            try:
                host, port = self.target.rsplit(":", 1)
                far = socket.create_connection((host, int(port)))
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source, sink):
        waiting, ready = [], threading.Condition()

        def read():
            data = b"begin"
            while data:
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                with ready:
                    ready.wait_for(lambda: len(waiting) < 64)
                    waiting.append((time.monotonic() + self.delay, data))
                    ready.notify_all()

        threading.Thread(target=read, daemon=True).start()
        free = 0.0
        while True:
            with ready:
                ready.wait_for(lambda: waiting)
                due, data = waiting.pop(0)
                ready.notify_all()
            free = max(free, time.monotonic()) + len(data) / self.rate
            time.sleep(max(0.0, max(due, free) - time.monotonic()))
            try:
                if not data:
                    raise OSError("the end")
                sink.sendall(data)
            except OSError:
                for each in (source, sink):
                    each.close()
                return


def put_relay_between(committee, relay):
    """The others know the relay as the slow one's address; the slow one knows no way to them."""
    for name in committee.names:
        file = committee.home(name) / "genesis.json"
        genesis = json.loads(file.read_text())
        for member in genesis["members"]:
            if (name == SLOW) != (member["name"] == SLOW):
                member["addresses"] = ["127.0.0.1:1"] if name == SLOW else [relay.address]
        file.write_text(json.dumps(genesis))


def peers(committee):
    return {each["name"]: each for each in committee.admin(ASKER, "/v1/peers")}


def standings(committee):
    return {name: each["standing"] for name, each in peers(committee).items()}


def fall_behind(committee):
    """The asker stands still for some commits, and catches up. Its connections stay: a new one the slow
    member would dial itself, past the relay."""
    pid = committee.status(ASKER)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        committee.wait_commit(GOOD, committee.status(GOOD)["commit"] + 10)
    finally:
        os.kill(pid, signal.SIGCONT)
    committee.wait_caught_up([GOOD, ASKER])


def asked(before, after):
    """Requests that came to something, by peer."""
    return {name: after[name]["terms"]["failures"]["requests"] -
            before[name]["terms"]["failures"]["requests"] for name in after if name in before}


def seconds_until(committee, conditions, patience):
    """When each of some conditions on the standing of a peer first held, in seconds from now, and the
    standing then. A condition has any key that begins with the name of its peer."""
    begin = time.monotonic()
    took, then = {}, {}
    while len(took) < len(conditions):
        seen = standings(committee)
        for key, condition in conditions.items():
            name = key.split()[0]
            if key not in took and name in seen and condition(seen[name]):
                took[key], then[key] = time.monotonic() - begin, seen[name]
        check(time.monotonic() - begin < patience, f"after {patience} s only {took}; last seen: {seen}")
        time.sleep(0.1)
    return took, then


def latency(committee, key):
    times = [committee.put(GOOD, f"{key}-{at}", "x")["latency_ms"]["committed"] for at in range(20)]
    return statistics.median(times)


def test(committee):
    # No batch is sent by itself, so that each has to be asked of somebody.
    settings = ["--set", f"net.penalty_half_life={HALF_LIFE}s", "--set", "debug.drop_outgoing=batch"]
    # The slow one has not been there yet: nobody knows where it is, nor does it know where the others are.
    committee.up(*settings, "--without", SLOW)
    before = latency(committee, "before")
    committee.down()
    relay = Relay(committee.address(SLOW, "peer"))
    put_relay_between(committee, relay)
    committee.up(*settings, "--node-set", f"{WRONG}:debug.corrupt_replies=10",
                 "--node-set", f"{SLOW}:net.advertise={relay.address}")

    load = Load(committee, [GOOD, WRONG, SLOW], wait="accepted", threads=1, pause=0.05)
    took, seen = seconds_until(committee, {
        f"{WRONG} seen": lambda standing: standing["terms"]["penalties"]["faults"],
        WRONG: lambda standing: standing["weight"] == 0,
        SLOW: lambda standing: "slow" in standing["reason"] and standing["weight"] < 50,
    }, 60)
    away = took[WRONG] - took[f"{WRONG} seen"]
    check(away < SOON, f"requests move away from {WRONG} {away:.1f} s after its first wrong answer: {took}")
    check(took[SLOW] < SOON, f"requests move away from {SLOW} after {took[SLOW]:.1f} s")
    check("wrong data" in seen[WRONG]["reason"], f"{WRONG}: {seen[WRONG]}")
    check(seen[WRONG]["band"] in ("throttled", "quarantined"), f"{WRONG}: {seen[WRONG]}")
    check("slow" in seen[SLOW]["reason"], f"{SLOW}: {seen[SLOW]}")
    text = monodon("peers", "--dir", committee.dir, "--node", ASKER)
    check("slow:" in text and "wrong data" in text, f"monodon peers says\n{text}")
    one = monodon("peer", WRONG, "--dir", committee.dir, "--node", ASKER)
    check("wrong data" in one and "penalties" in one, f"monodon peer says\n{one}")
    during = latency(committee, "during")

    # Most of what can be asked of anybody is asked of the good one.
    first = standings(committee)
    for _ in range(3):
        fall_behind(committee)
    shares = asked(first, standings(committee))
    check(shares[GOOD] > shares[SLOW] + shares[WRONG], f"requests by peer: {shares}")

    # Both behave from now on.
    relay.behave()
    committee.kill(WRONG)
    committee.add(WRONG)
    recovered, after = seconds_until(committee, {name: lambda standing: (
        standing["band"] in ("neutral", "preferred") and standing["weight"] >= 50
        and standing["terms"]["penalties"]["points"] > -5) for name in (WRONG, SLOW)}, 240)
    load.stop()
    committee.wait_caught_up()
    committee.verify()
    print(f"requests move away {away:.1f} s after the first wrong answer ({WRONG}: "
          f"{seen[WRONG]['reason']}, score {seen[WRONG]['score']:.0f}) and "
          f"{took[SLOW]:.1f} s ({SLOW}: {seen[SLOW]['reason']}, weight "
          f"{seen[SLOW]['weight']}); then requests: {shares}; commit p50 {before:.0f} ms before, "
          f"{during:.0f} ms meanwhile; recovered after {recovered[WRONG]:.0f} and {recovered[SLOW]:.0f} s: "
          f"{ {name: round(after[name]['score']) for name in (WRONG, SLOW)} }")


sys.exit(run(test))
