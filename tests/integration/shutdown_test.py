#!/usr/bin/env python3
"""SIGTERM, and a request to the admin socket, end a validator cleanly within three seconds, under
load; it starts again and goes on. Its first lines name every address."""

import signal
import sys
import time

from harness import Load, check, run, wait_until

SECONDS = 3


def wait_ready(committee, name):
    wait_until(f"{name} ready", lambda: committee.status(name)["ready"])


def ends_cleanly(process, what):
    begin = time.monotonic()
    code = process.wait(timeout=30)
    took = time.monotonic() - begin
    check(code == 0, f"{what}: exit code {code}")
    check(took < SECONDS, f"{what}: took {took:.1f} s")
    return took


def test(committee):
    committee.up("--without", "v3")
    load = Load(committee, ["v0", "v1", "v2"], wait="committed", threads=1)
    process = committee.start("v3")
    wait_ready(committee, "v3")
    log = (committee.home("v3") / "node.log").read_text()
    for part in (committee.address("v3", "peer"), committee.address("v3"), "admin.sock"):
        check(part in log, f"the first lines of v3 do not name {part}")
    load.wait_for(20)

    process.send_signal(signal.SIGTERM)
    took = [ends_cleanly(process, "SIGTERM")]
    process = committee.start("v3")
    wait_ready(committee, "v3")
    committee.admin("v3", "/v1/shutdown", "POST", b"{}")
    took.append(ends_cleanly(process, "POST /v1/shutdown"))

    process = committee.start("v3")
    wait_ready(committee, "v3")
    process.send_signal(signal.SIGINT)
    took.append(ends_cleanly(process, "SIGINT"))

    load.stop()
    for stopped in committee.down():
        check(stopped["result"] in ("stopped", "was not running"), f"down: {stopped}")
        check(stopped["seconds"] < SECONDS, f"down: {stopped}")
    committee.up()
    committee.wait_caught_up()
    load.check_present(committee.names)
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    print("clean ends took " + ", ".join(f"{each:.2f} s" for each in took))


sys.exit(run(test))
