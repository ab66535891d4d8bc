#!/usr/bin/env python3
"""A validator is cut off under load and joined again: the others go on, it says what it waits for, and it
catches up. Cut into halves, nobody commits, and all go on when healed."""

import json
import sys

from harness import Load, check, monodon, run, wait_until


def why(committee, name):
    return json.loads(monodon("why", "--dir", committee.dir, "--node", name, "-o", "json"))


def partition(committee, *groups):
    monodon("testnet", "partition", *groups, "--dir", committee.dir)


def heal(committee):
    monodon("testnet", "heal", "--dir", committee.dir)


def quiet(committee):
    """Each waits for the others."""
    def waits():
        return all(any("not connected" in reason for reason in why(committee, name)["reasons"])
                   for name in committee.names)
    wait_until("all to wait for a quorum", waits)


def test(committee):
    committee.up()
    load = Load(committee, ["v0", "v1"], wait="committed", threads=1)
    load.wait_for(10)
    check(not why(committee, "v0")["blocked"], "v0 says that something blocks a committee that commits")
    partition(committee, "v3")
    before = committee.status("v3")["commit"]
    load.wait_for(50)
    check(committee.status("v0")["commit"] > before, "the others do not commit")
    for name in ("v0", "v3"):
        bans = committee.admin(name, "/v1/bans")["bans"]
        check(set(bans) == ({"v3"} if name == "v0" else {"v0", "v1", "v2"}), f"{name} bans {bans}")
    reasons = wait_until("v3 to say that it waits", lambda: why(committee, "v3")["reasons"])
    check("not connected: v0, v1, v2" in reasons[0], f"v3 says {reasons}")
    text = monodon("why", "--dir", committee.dir, "--node", "v3")
    check(text.startswith("commit ") and "no certificate for" in text, f"v3 says {text}")

    heal(committee)
    committee.wait_caught_up()
    load.stop()
    said = monodon("sync", "--follow", "--dir", committee.dir, "--node", "v3")
    check(said.startswith("live: round "), f"v3 says {said}")
    sync = committee.admin("v3", "/v1/sync")
    check(sync["certificates"]["useful"] > 0, f"v3 caught up without fetching: {sync}")
    check(sync["bytes"]["useful"] > sync["bytes"]["wasted"], f"more was wasted than used: {sync}")
    partition(committee, "v0,v1", "v2,v3")
    quiet(committee)
    heal(committee)
    committee.put("v2", "after", "healed")
    committee.wait_caught_up()
    wait_until("nothing to block", lambda: not why(committee, "v3")["blocked"])
    committee.verify()
    load.check_present(["v3"])


sys.exit(run(test))
