#!/usr/bin/env python3
"""One validator is slow (a relay in front of it adds 200 ms and lets 1 MB a second through), one answers
every tenth request wrongly. A node that has to ask others, because it is cut off again and again, sees both
with the reason and asks them less; commits go on; both are what they were when they behave."""

import json
import socket
import statistics
import sys
import threading
import time

from harness import Load, check, monodon, run, wait_until

ASKER, GOOD, WRONG, SLOW = "v0", "v1", "v2", "v3"
HALF_LIFE = 10
# What an honest machine under load may not reach, and a relay of 200 ms each way does.
SLOW_MS = 150


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


def fall_behind(committee, load):
    """The asker is cut off for some commits, and catches up."""
    monodon("testnet", "partition", ASKER, "--dir", committee.dir)
    load.wait_for(30)
    monodon("testnet", "heal", "--dir", committee.dir)
    committee.wait_caught_up([GOOD, ASKER])


def asked(before, after):
    """Requests that came to something, by peer."""
    return {name: after[name]["terms"]["failures"]["requests"] -
            before[name]["terms"]["failures"]["requests"] for name in after if name in before}


def until(committee, load, what, condition, seconds=240):
    """Falls behind until the condition holds of the standings; what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        fall_behind(committee, load)
        seen = standings(committee)
        if condition(seen):
            return seen
        check(time.monotonic() < deadline, f"waited {seconds} s for {what}; last seen: {seen}")


def latency(committee, key):
    times = [committee.put(GOOD, f"{key}-{at}", "x")["latency_ms"]["committed"] for at in range(10)]
    return statistics.median(times)


def test(committee):
    settings = ["--set", f"net.penalty_half_life={HALF_LIFE}s", "--set", "debug.drop_outgoing=batch"]
    committee.up(*settings)
    before = latency(committee, "before")
    committee.down()
    relay = Relay(committee.address(SLOW, "peer"))
    put_relay_between(committee, relay)
    committee.up(*settings, "--node-set", f"{WRONG}:debug.corrupt_replies=10")
    load = Load(committee, [GOOD, WRONG], wait="committed", threads=1)
    load.wait_for(10)

    begin = time.monotonic()
    seen = until(committee, load, "both to be seen", lambda seen: (
        seen[WRONG]["terms"]["penalties"]["faults"].get("wrong data", 0) >= 2
        and (seen[SLOW]["terms"]["latency"]["first_byte_ms"] or 0) >= SLOW_MS
        and seen[SLOW]["weight"] < 50))
    took = time.monotonic() - begin
    check("slow" in seen[SLOW]["reason"], f"{SLOW}: {seen[SLOW]}")
    text = monodon("peers", "--dir", committee.dir, "--node", ASKER)
    check("slow:" in text and "wrong data" in text, f"monodon peers says\n{text}")
    one = monodon("peer", WRONG, "--dir", committee.dir, "--node", ASKER)
    check("wrong data" in one and "penalties" in one, f"monodon peer says\n{one}")
    during = latency(committee, "during")

    # Most of what can be asked of anybody is asked of the good one.
    first = standings(committee)
    for _ in range(3):
        fall_behind(committee, load)
    shares = asked(first, standings(committee))
    check(shares[GOOD] > shares[SLOW], f"requests by peer: {shares}")

    # Both behave from now on.
    relay.behave()
    committee.kill(WRONG)
    committee.add(WRONG)
    begin = time.monotonic()
    after = until(committee, load, "both to recover", lambda seen: all(
        seen[name]["band"] in ("neutral", "preferred") and seen[name]["weight"] >= 50
        and seen[name]["terms"]["penalties"]["points"] > -5 for name in (WRONG, SLOW)))
    recovered = time.monotonic() - begin
    load.stop()
    committee.wait_caught_up()
    committee.verify()
    print(f"both seen after {took:.1f} s: {SLOW} {seen[SLOW]['reason']}, weight {seen[SLOW]['weight']}; "
          f"{WRONG} {seen[WRONG]['reason']}, score {seen[WRONG]['score']:.0f}; then requests: {shares}; "
          f"commit p50 {before:.0f} ms before, {during:.0f} ms meanwhile; recovered after {recovered:.0f} s: "
          f"{ {name: round(after[name]['score']) for name in (WRONG, SLOW)} }")


sys.exit(run(test))
