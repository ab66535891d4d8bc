#!/usr/bin/env python3
"""Observers follow a loaded committee, serve what they have, survive kill -9, come late and catch up; the
committee goes on when they stall, and none of them ever votes or proposes."""

import json
import re
import sys

from harness import READY, Load, check, monodon, put_bytes, request, run, wait_until

MIB = 1 << 20
# What a validator may hold for an observer that does not read: its consensus queue, and what the load adds.
STALLED_MAX = 4 * MIB + 32 * MIB


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"RssAnon:\s+(\d+)", file.read()).group(1)) * 1024


def metrics(committee, name):
    connection = committee.api(name)
    status, _, body = request(connection, "GET", "/metrics")
    connection.close()
    check(status == 200, f"metrics of {name}: {status}")
    return body.decode()


def follows(committee, name, lag=8):
    """It is ready, and as far as the committee but for a few commits."""
    status = committee.status(name)
    return status["ready"] and status["lag"] is not None and status["lag"] <= lag


def answers(committee, name):
    """All that can be asked of an observer, and the one thing that cannot."""
    status = committee.status(name)
    check(status["role"] == "observer" and status["validator"] is None, f"{name}: {status}")
    check(status["peers_total"] == 4, f"{name} counts {status['peers_total']} members")
    check(committee.admin(name, "/v1/dag?rounds=3")["rounds"], f"{name} shows no rounds")
    check("blocked" in committee.admin(name, "/v1/why"), f"{name} does not say what blocks it")
    check("mode" in committee.admin(name, "/v1/sync"), f"{name} does not say how it follows")
    check(committee.commits(name)[0]["index"] == 1, f"{name} has no commits")
    code, refused = committee.submit(name, put_bytes("not", "here"))
    check(code == 403 and refused["error"]["code"] == "observer", f"{name} took a transaction: {refused}")
    words = refused["error"]["message"]
    check("validator" in words and committee.address("v0", "peer") in words, f"{name} says {words}")


def wrong_roles(committee):
    """A member's key is no observer's, and a stranger's is no validator's: both are told what to do."""
    def refused(name, role, *words):
        process = committee.start(name, "--set", f"node.role={role}", log=committee.root / "refused.log")
        check(process.wait(timeout=60) == 78, f"{name} as {role} ended with {process.returncode}")
        said = (committee.root / "refused.log").read_text()
        check(all(word in said for word in words), f"{name} as {role}: {said}")

    committee.down("v3", "o0")
    for name in ("o0", "v3"):
        report = json.loads(monodon("db", "check", "--home", committee.home(name), "-o", "json"))
        check(report["healthy"] and report["recovery"]["starts"], f"check of {name}: {report}")
    monodon("db", "check", "--home", committee.home("o0"), "--set", "node.role=validator", code=65)
    refused("v3", "observer", "a member of the committee", "init --observer")
    refused("o0", "validator", "names no member", "init --observer")
    committee.add("v3", "o0")


def stalls(committee, load):
    """One that is stopped costs the validators a bounded queue and no commit."""
    pid = committee.status("v0")["pid"]
    before = resident(pid)
    monodon("testnet", "pause", "o0", "--dir", committee.dir)
    load.wait_for(300)
    grown = resident(pid) - before
    check(grown < STALLED_MAX, f"v0 grew by {grown / MIB:.1f} MiB")
    monodon("testnet", "pause", "o0", "--resume", "--dir", committee.dir)
    wait_until("o0 to follow again", lambda: follows(committee, "o0"))
    return grown


def cut_off(committee, load):
    monodon("testnet", "partition", "o0", "--dir", committee.dir)
    wait_until("o0 to be alone", lambda: committee.status("o0")["peers_connected"] == 0)
    load.wait_for(50)
    monodon("testnet", "heal", "--dir", committee.dir)
    wait_until("o0 to follow again", lambda: follows(committee, "o0"))


def test(committee):
    up = committee.up("--observers", 1)
    check(up["validators"] == 4 and up["observers"] == 1, f"up says {up}")
    load = Load(committee, ["v0", "v1"], wait="committed", threads=1)
    load.wait_for(100)
    wait_until("o0 to follow under load", lambda: follows(committee, "o0"))
    answers(committee, "o0")
    peers = [peer for peer in committee.admin("v0", "/v1/peers") if peer["role"] == "observer"]
    check(len(peers) == 1 and peers[0]["peer_id"] == committee.status("o0")["peer_id"], f"v0 has {peers}")
    table = monodon("peers", "-l", "1", "--dir", committee.dir, "--node", "v0", "-o", "plain")
    check(f"observer\t{peers[0]['peer_id']}" in table, f"peers shows {table}")

    committee.kill("o0")
    load.wait_for(100)
    committee.add("o0")
    wait_until("o0 to follow after a kill", lambda: follows(committee, "o0"))
    grown = stalls(committee, load)
    cut_off(committee, load)
    # A new one in a testnet that exists.
    committee.up("--observers", 2)
    wait_until("o1 to follow", lambda: follows(committee, "o1"))
    load.stop()

    everybody = [*committee.names, "o0", "o1"]
    committee.wait_caught_up(everybody, READY)
    pairs = committee.verify()
    check(len(pairs) == 15 and all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    load.check_present(["o0", "o1"])
    for name in ("o0", "o1"):
        text = metrics(committee, name)
        own = re.findall(r"^monodon_(?:headers_proposed|votes_given)_total (\d+)", text, re.MULTILINE)
        check(len(own) == 2 and set(own) == {"0"}, f"{name} has signed: {own}")
        rows = json.loads(monodon("db", "stat", "--home", committee.home(name), "-o", "json"))
        signed = {each["table"]: each["rows"] for each in rows["tables"]
                  if each["table"] in ("votes", "own_headers")}
        check(len(signed) == 2 and not any(signed.values()), f"{name} has rows of signatures: {signed}")
    wrong_roles(committee)
    print(f"{load.count()} transactions; v0 grew by {grown / MIB:.1f} MiB while o0 was stopped")


sys.exit(run(test))
