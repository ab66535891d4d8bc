#!/usr/bin/env python3
"""A node never says that it is ready, nor how far behind it is, before the others have said where they are; a
survivor of a dead committee says that it lacks a quorum, at once, and so does one whose peers are silent."""

import os
import signal
import subprocess
import sys
import threading

from harness import MONODON, check, request, run, wait_until

AHEAD = 300
SOON = 20


def readyz(committee, name):
    connection = committee.api(name)
    try:
        status, _, body = request(connection, "GET", "/readyz?verbose")
    finally:
        connection.close()
    return status, body.decode()


def lacks_quorum(committee, name):
    status, body = readyz(committee, name)
    return status == 503 and "[-]quorum" in body and body


def alone(committee):
    """Started while the others are dead: never ready, and the lag is not known."""
    committee.kill(*committee.names)
    committee.start("v0")
    wait_until("an answer that a quorum is missing", lambda: lacks_quorum(committee, "v0"), SOON)
    status = committee.status("v0")
    check(status["lag"] is None and not status["ready"], f"alone after a restart: {status}")
    words = [MONODON, "status", "--all", "--dir", str(committee.dir)]
    table = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout
    row = next(line.split() for line in table.splitlines() if line.startswith("v0"))
    check(row[4] == "-", f"the lag in the table: {row}")


class Watch:
    """Every status of a node from its first answer on."""

    def __init__(self, committee, name):
        self.committee = committee
        self.name = name
        self.seen = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self):
        while not self._stop.wait(0.002):
            try:
                self.seen.append(self.committee.status(self.name))
            except (OSError, ValueError):
                continue

    def stop(self):
        self._stop.set()
        self._thread.join()
        return self.seen


def behind(committee):
    """Started far behind: no status says ready, or a small lag, while it is."""
    committee.kill("v3")
    at = committee.status("v0")["commit"] + AHEAD
    committee.wait_commit("v0", at, 120)
    watch = Watch(committee, "v3")
    committee.add("v3")
    wait_until("v3 to catch up", lambda: committee.status("v3")["executed"] >= at, 120)
    seen = watch.stop()
    early = [each for each in seen if each["executed"] < at - 100]
    check(early, "the test saw nothing of v3 while it was behind")
    wrong = [each for each in early if each["ready"] or (each["lag"] is not None and each["lag"] < 64)]
    check(not wrong, f"{len(wrong)} of {len(early)} statuses while behind: {wrong[:1]}")
    return len(early)


def silent(committee):
    """The processes of the others stand still: their connections are open, and nothing comes."""
    pids = [committee.status(name)["pid"] for name in committee.names[1:]]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        body = wait_until("silence to be noticed", lambda: lacks_quorum(committee, "v0"), SOON)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait_until("readiness again", lambda: readyz(committee, "v0")[0] == 200)
    return next(line for line in body.splitlines() if "quorum" in line)


def test(committee):
    committee.up("--set", "consensus.idle_round=50ms")
    check(committee.status("v0")["lag"] is not None, "ready, and the lag is not known")
    said = silent(committee)
    early = behind(committee)
    alone(committee)
    print(f"silent peers: {said}; {early} statuses of a node that was behind, none of them ready")


sys.exit(run(test))
