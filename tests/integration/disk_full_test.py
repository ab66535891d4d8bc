#!/usr/bin/env python3
"""A home on a small file system that is filled to the last byte: the node refuses transactions and says why,
the others go on, nothing is damaged, and with room again it catches up and takes part by itself."""

import json
import os
import shutil
import subprocess
import sys

from harness import Load, check, put_bytes, request, run, wait_until

SIZE = "400m"
VICTIM = "v3"


class SmallDisk:
    """A file system of its own at a directory, which keeps what is in it."""

    def __init__(self, directory):
        self.directory = directory
        self.filler = directory / "filler"

    def mount(self):
        """Why not, or nothing."""
        kept = self.directory.with_suffix(".kept")
        os.rename(self.directory, kept)
        os.mkdir(self.directory, 0o700)
        words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "none", str(self.directory)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except OSError as error:
            return str(error)
        if done.returncode != 0:
            return done.stderr.strip()
        shutil.copytree(kept, self.directory, dirs_exist_ok=True)
        shutil.rmtree(kept)
        return None

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass  # as it should be
        status = os.statvfs(self.directory)
        check(status.f_bavail == 0, f"{status.f_bavail} blocks are left")

    def clear(self):
        self.filler.unlink()

    def unmount(self):
        subprocess.run(["umount", "--lazy", str(self.directory)], capture_output=True, check=False)


def readiness(committee, name):
    connection = committee.api(name)
    try:
        status, _, body = request(connection, "GET", "/readyz?verbose")
    finally:
        connection.close()
    return status, body.decode()


def refusal(committee, name):
    """(status, Retry-After, error) of a transaction that is offered now."""
    connection = committee.api(name)
    try:
        status, headers, body = request(connection, "POST", "/v1/tx?wait=accepted", put_bytes("no", "room"))
    finally:
        connection.close()
    return status, headers.get("Retry-After"), json.loads(body).get("error", {})


def stalled(committee, name):
    stores = committee.admin(name, "/v1/store")["environments"]
    return next(store for store in stores if store["name"] == "consensus").get("stalled")


def use_and_fill(committee, disk):
    process = committee.start(VICTIM, log=committee.root / "v3.log")
    wait_until("the victim to be ready", lambda: readiness(committee, VICTIM)[0] == 200)
    others = [name for name in committee.names if name != VICTIM]
    load = Load(committee, committee.names, wait="durable", threads=1, pause=0.1)
    load.wait_for(100)
    status, text = readiness(committee, VICTIM)
    check(status == 200, f"not ready on an empty small disk: {text}")
    disk.fill()
    wait_until("a refusal", lambda: refusal(committee, VICTIM)[0] == 429)
    _, retry, error = refusal(committee, VICTIM)
    check(retry and int(retry) >= 1, f"Retry-After: {retry}")
    # Little is reserved ahead of a small file, so the writer may lack room before the watermark is noticed.
    said = error["message"]
    check(error["code"] == "no_room" and ("free on the disk" in said or "reserve" in said), f"{error}")
    status, text = readiness(committee, VICTIM)
    check(status == 503 and ("[-]disk" in text or "[-]store" in text), f"readiness: {status} {text}")
    # What was reserved ahead is used up, a few MB, then writing stops. Pruning waits before that,
    # so the writer's word is not enough. The others do not wait for it.
    def stands_still():
        check(process.poll() is None, f"the full node has ended with {process.poll()}")
        if not stalled(committee, VICTIM):
            return False
        here, there = committee.status(VICTIM)["commit"], committee.status("v0")["commit"]
        committee.wait_commit("v0", there + 30)
        return committee.status(VICTIM)["commit"] == here

    wait_until("the full node to stand still", stands_still, 360)
    # The reason is the writer's own now.
    wait_until("the writer's reason", lambda: "no space" in refusal(committee, VICTIM)[2]["message"].lower()
               or "reserve" in refusal(committee, VICTIM)[2]["message"])

    disk.clear()
    wait_until("the node to be ready again", lambda: readiness(committee, VICTIM)[0] == 200, 120)
    load.wait_for(100)
    load.stop()
    committee.put(VICTIM, "room", "again", "executed")
    last = committee.wait_caught_up()
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    load.check_present(committee.names)
    committee.check_no_batch_twice(VICTIM)
    check(committee.status(VICTIM)["pid"] == process.pid, "the node was restarted")
    check(committee.admin(VICTIM, "/v1/store")["damaged"] == 0, "rows are damaged")
    equivocations = [committee.status(name)["equivocations"] for name in others]
    check(not any(equivocations), f"equivocations: {equivocations}")
    print(f"caught up to {last}; {load.count()} acknowledged")


def test(committee):
    # Quick rounds use up what is reserved ahead sooner.
    committee.up("--without", VICTIM, "--set", "consensus.min_round_delay=1ms")
    disk = SmallDisk(committee.home(VICTIM))
    why_not = disk.mount()
    if why_not:
        print(f"skipped: a file system can not be mounted here: {why_not}")
        sys.exit(77)
    try:
        use_and_fill(committee, disk)
    finally:
        # Before the directories are removed; the process may have ended by itself.
        for process in committee.started:
            process.kill()
            process.wait()
        disk.unmount()


sys.exit(run(test))
