#!/usr/bin/env python3
"""A validator whose store is an old copy, or was lost, never signs twice: it notices or is told, asks the
others where they last saw it, and votes and proposes only above that."""

import shutil
import subprocess
import sys

from harness import MONODON, Load, check, monodon, run, wait_until

VICTIM = "v3"
STORES = ("consensus", "batches", "state")
STOPPED = "follows without voting or proposing"
RESUMED = "votes and proposes again"


def count(committee, words):
    """How often the log says so."""
    return sum(words in line.get("msg", "") for line in committee.log(VICTIM))


def check_sound(committee, load):
    committee.put(VICTIM, f"back-{load.count()}", "again", "executed")
    committee.wait_caught_up()
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    for name in committee.names:
        status = committee.status(name)
        check(status["equivocations"] == 0, f"{name} saw {status['equivocations']} equivocations")
    committee.check_no_batch_twice(VICTIM)


def put_back(committee, kept):
    """The stores are as they were when `kept` was made; without it they are gone."""
    for store in STORES:
        shutil.rmtree(committee.home(VICTIM) / store)
        if kept:
            shutil.copytree(kept / store, committee.home(VICTIM) / store)


def test(committee):
    committee.up("--set", "consensus.min_round_delay=20ms")
    load = Load(committee, ["v0", "v1", "v2"], wait="committed", threads=1)
    load.wait_for(50)
    committee.down(VICTIM)
    kept = committee.root / "kept"
    for store in STORES:
        shutil.copytree(committee.home(VICTIM) / store, kept / store)
    committee.add(VICTIM)
    committee.wait_commit(VICTIM, committee.status("v0")["commit"] + 50)
    committee.kill(VICTIM)
    check(count(committee, STOPPED) == 0, "it asked without a reason")

    # An old copy without a mark: noticed by its own later signatures.
    put_back(committee, kept)
    committee.add(VICTIM)
    wait_until("the old copy to be noticed", lambda: count(committee, STOPPED) == 1)
    wait_until("the others to have answered", lambda: count(committee, RESUMED) == 1)
    check_sound(committee, load)

    # All is lost but the key: refused, until somebody says that the key was used.
    committee.kill(VICTIM)
    put_back(committee, None)
    done = subprocess.run([MONODON, "run", "--home", committee.home(VICTIM)], capture_output=True, text=True,
                          timeout=60, check=False)
    check(done.returncode == 65, f"exit code {done.returncode} without a store: {done.stderr}")
    check("--rejoin" in done.stderr, f"the way out is not named: {done.stderr}")
    monodon("init", "--home", committee.home(VICTIM), "--rejoin")
    committee.add(VICTIM)
    wait_until("it to ask", lambda: count(committee, STOPPED) == 2)
    wait_until("the others to have answered", lambda: count(committee, RESUMED) == 2)
    check_sound(committee, load)

    # The bound is durable: the next life does not ask again.
    committee.kill(VICTIM)
    committee.add(VICTIM)
    load.stop()
    check_sound(committee, load)
    load.check_present(committee.names)
    check(count(committee, STOPPED) == 2, "it asked again")
    print(f"{load.count()} acknowledged, {committee.status('v0')['commit']} commits")


sys.exit(run(test))
