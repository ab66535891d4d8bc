#!/usr/bin/env python3
"""A disk forgets a certificate and the body of a batch while a validator is down, and its state is taken away
as the doctor says: it starts, executes all commits anew, fetches both from the others, and is whole again."""

import json
import shutil
import subprocess
import sys

from harness import READY, Load, check, monodon, run, wait_until

VICTIM = "v3"
FETCHED = "a damaged certificate was fetched again"


def db_check(home, code):
    return json.loads(monodon("db", "check", "--home", home, "-o", "json", code=code))


def test(committee):
    committee.up()
    home = committee.home(VICTIM)
    load = Load(committee, ["v0", VICTIM], wait="committed", threads=1)
    load.wait_for(100)
    committee.down(VICTIM)
    check(db_check(home, 0)["healthy"], "the home is not whole to begin with")
    damaged = subprocess.run([sys.argv[2], home], capture_output=True, text=True, timeout=60, check=True)
    where, _, batch = damaged.stdout.strip().rpartition(" ")
    found = db_check(home, 65)
    texts = [each["text"] for each in found["findings"] if each["severity"] == "healed"]
    check(found["fatal"] == 0 and found["recovery"]["starts"], f"what can be fetched again is fatal: {found}")
    check(any(batch in text for text in texts), f"batch {batch} is not named: {texts}")
    check(any("certificate" in text for text in texts), f"the certificate of {where} is not named: {texts}")

    shutil.rmtree(home / "state")
    process = committee.start(VICTIM, "--set", "storage.recovery=from_scratch")
    wait_until(f"{VICTIM} to answer", lambda: committee.status(VICTIM)["pid"] == process.pid, READY)
    wait_until("the certificate to be fetched",
               lambda: any(line.get("msg") == FETCHED for line in committee.log(VICTIM)))
    committee.wait_caught_up()
    committee.put(VICTIM, "whole", "again", "executed")
    load.stop()
    committee.wait_caught_up()
    load.check_present(committee.names)
    check(committee.status(VICTIM)["equivocations"] == 0, "an equivocation")
    process.terminate()
    check(process.wait(timeout=60) == 0, f"{VICTIM} ended with {process.returncode}")
    report = db_check(home, 0)
    check(report["healthy"], f"what was fetched was not written: {report}")
    print(f"certificate {where} and batch {batch[:16]} came again; {load.count()} transactions")


sys.exit(run(test))
