#!/usr/bin/env python3
"""A wrong chain id, a stranger's key, and a peer that is not the one that was dialled are refused,
with a reason in the log; the committee goes on. Usage: refused_test.py MONODON STRANGER"""

import json
import subprocess
import sys

from harness import UnixConnection, check, request, run, wait_until

STRANGER = sys.argv[2]


def lines_with(committee, name, *words):
    """Log lines of a node that hold all these words, in any of their fields."""
    return [line for line in committee.log(name) if all(word in json.dumps(line) for word in words)]


def change_genesis(committee, name, change):
    file = committee.home(name) / "genesis.json"
    genesis = json.loads(file.read_text())
    change(genesis)
    file.write_text(json.dumps(genesis))
    return genesis


def wrong_chain(committee):
    """v3 comes back as a member of another chain with the same keys and addresses."""
    committee.down("v3")
    original = (committee.home("v3") / "genesis.json").read_text()

    def rename(genesis):
        genesis["chain_id"] = "another-chain"

    change_genesis(committee, "v3", rename)
    # Its store belongs to the first chain, so it gets a fresh one.
    spare = committee.root / "spare"
    spare.mkdir()
    for part in ("consensus", "batches", "state"):
        (committee.home("v3") / part).rename(spare / part)
    (committee.home("v3") / "fresh").touch(mode=0o600)
    process = committee.start("v3")
    found = wait_until("a refusal for the wrong chain", lambda: lines_with(committee, "v0", "wrong chain"))
    check(committee.status("v0")["validators"][3]["connected"] is False, "v3 of another chain is connected")
    process.terminate()
    process.wait(timeout=30)
    for part in ("consensus", "batches", "state"):
        (committee.home("v3") / part).rename(spare / f"{part}-other")
        (spare / part).rename(committee.home("v3") / part)
    (committee.home("v3") / "fresh").unlink(missing_ok=True)
    (committee.home("v3") / "genesis.json").write_text(original)
    return found[0]


def stranger(committee):
    """Somebody who knows chain and committee dials as a member, with a key of his own."""
    done = subprocess.run(
        [STRANGER, str(committee.home("v0") / "genesis.json")],
        capture_output=True, text=True, timeout=60, check=False,
    )
    check(done.returncode == 0, f"the stranger: {done.stdout}{done.stderr}")
    who = done.stdout.split()[0]
    found = wait_until("a refusal of the stranger", lambda: lines_with(committee, "v0", who))
    peers = committee.admin("v0", "/v1/peers")
    check(all(peer["peer_id"] != who or not peer["connected"] for peer in peers), "the stranger is connected")
    return found[0]


def wrong_peer(committee):
    """v3 is told that v0 is where v1 listens: whom it dials is not who answers."""
    committee.start("v3")
    wait_until("v3 to be connected", lambda: len([peer for peer in committee.admin("v3", "/v1/peers")
                                                  if peer["connected"]]) >= 3)
    where = f"{committee.status('v0')['peer_id']}@{committee.address('v1', 'peer')}"
    connection = UnixConnection(committee.home("v3") / "admin.sock", timeout=30)
    status, _, answer = request(connection, "POST", "/v1/peers/dial", json.dumps({"address": where}))
    connection.close()
    check(status == 400 and b"not the peer that was dialled" in bytes(answer), f"{status}: {answer!r}")
    return wait_until("a refusal of the wrong peer", lambda: lines_with(committee, "v1", "not the peer"))[0]


def test(committee):
    committee.up()
    committee.put("v0", "before", "1")
    seen = [wrong_chain(committee), stranger(committee), wrong_peer(committee)]
    committee.put("v0", "after", "1", "executed")
    for name in ("v0", "v1", "v2"):
        check(committee.status(name)["ready"], f"{name} is not ready")
    for line in seen:
        print(json.dumps({key: line[key] for key in line if key not in ("ts", "level", "cat")}))


sys.exit(run(test))
