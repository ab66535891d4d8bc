#!/usr/bin/env python3
"""The first start of a home may end anywhere: the next one begins where it stopped, and is not taken for
the start of an old home that has lost its store."""

import random
import shutil
import subprocess
import sys
import time

from harness import MONODON, check, monodon, run, wait_until

SEED = 1
KILLS = 12


def remake(committee, kept):
    shutil.rmtree(committee.home("v0"))
    shutil.copytree(kept, committee.home("v0"))


def cut_short(committee):
    """No directory can be made where a file is."""
    place = committee.home("v0") / "batches"
    place.write_text("in the way")
    done = subprocess.run([MONODON, "run", "--home", committee.home("v0")], capture_output=True, text=True,
                          timeout=60, check=False)
    check(done.returncode == 65, f"exit code {done.returncode} with a file for batches/: {done.stderr}")
    store = committee.home("v0") / "consensus" / "data.mdb"
    check(store.exists(), "it stopped before what was to be tried")
    place.unlink()


def check_starts(committee, what):
    """How long it takes until it answers."""
    begin = time.monotonic()
    process = committee.start("v0")

    def answers():
        check(process.poll() is None, f"{what}: the next start ends with {process.poll()}")
        return committee.status("v0")["pid"] == process.pid

    wait_until(f"the node to answer, {what}", answers)
    seconds = time.monotonic() - begin
    committee.put("v0", "here", "1", "executed")
    check(not (committee.home("v0") / "fresh").exists(), f"{what}: the mark of a new home stays")
    process.kill()
    process.wait()
    return seconds


def test(committee):
    # Made, not started.
    monodon("testnet", "up", "-n", committee.size, "--dir", committee.dir, "--no-wait", "--without", "v0")
    kept = committee.root / "kept"
    shutil.copytree(committee.home("v0"), kept)
    check((kept / "fresh").exists(), "the home is not new")

    cut_short(committee)
    seconds = check_starts(committee, "with batches/ in the way")

    draw = random.Random(SEED)
    fresh = 0
    for _ in range(KILLS):
        remake(committee, kept)
        process = committee.start("v0")
        after = draw.uniform(0, seconds)
        try:
            process.wait(after)
            check(False, f"the first start has ended with {process.returncode}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        fresh += (committee.home("v0") / "fresh").exists()
        seconds = check_starts(committee, f"killed after {after * 1000:.0f} ms")
    print(f"killed {KILLS} times, {fresh} of them before its stores were there")


sys.exit(run(test, validators=1))
