#!/usr/bin/env python3
"""A home is for one process: the second one is refused with 73 and leaves the first alone."""

import subprocess
import sys

from harness import MONODON, check, monodon, run


def test(committee):
    committee.up()
    before = committee.status("v0")
    done = subprocess.run(
        [MONODON, "run", "--home", committee.home("v0")],
        capture_output=True, text=True, timeout=30, check=False,
    )
    check(done.returncode == 73, f"exit code {done.returncode}: {done.stderr}")
    check(str(before["pid"]) in done.stderr, f"process {before['pid']} is not named: {done.stderr}")
    after = committee.status("v0")
    check(after["pid"] == before["pid"], "the first process is gone")
    # Starting the committee again starts nothing twice.
    again = committee.up()
    twice = [node["name"] for node in again["nodes"] if not node["already_running"]]
    check(not twice, f"started twice: {twice}")
    monodon("testnet", "up", "-n", committee.size + 1, "--dir", committee.dir, code=2)


sys.exit(run(test))
