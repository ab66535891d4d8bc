"""Four validators and eight observers that know one address each find each other, the seed can be killed, and
a validator that comes back at another port is found again by all."""

import sys
import time

from harness import check, monodon, run, wait_until

SEED = "v0"
OBSERVERS = 8


def connected(committee, name):
    return {peer["name"] for peer in committee.admin(name, "/v1/peers")
            if peer["connected"] and peer["role"] == "member"}


def test(committee):
    observers = [f"o{index}" for index in range(OBSERVERS)]
    begin = time.monotonic()
    committee.up("--observers", OBSERVERS, "--seeds", 1)
    everybody = committee.names + observers
    for name in committee.names:
        wait_until(f"{name} to be connected with all", lambda: len(connected(committee, name)) == 3)
    mesh = time.monotonic() - begin
    first = committee.put("v1", "discovery", "1")
    for name in observers:
        wait_until(f"{name} to follow", lambda: committee.status(name)["commit"] >= first["commit"] and
                   len(connected(committee, name)) == 4)
    found = time.monotonic() - begin
    print(f"full mesh after {mesh:.1f} s, all observers follow after {found:.1f} s")

    # What all know is where the others are, not where the seed was.
    committee.kill(SEED)
    second = committee.put("v1", "discovery", "2")
    for name in everybody[1:]:
        committee.wait_commit(name, second["commit"])
    committee.add(SEED)

    # Another port: nobody is told but by the node itself.
    committee.kill("v2")
    # Without the seed: what it has stored of its address book is enough.
    committee.start("v2", "--set", "net.listen=127.0.0.1:0")
    moved = wait_until("v2 to run", lambda: committee.status("v2"))["listen"]["peer"]
    check(moved != committee.address("v2", "peer"), "v2 listens where it was")
    for name in everybody:
        if name == "v2":
            continue
        wait_until(f"{name} to find v2", lambda: "v2" in connected(committee, name))
        book = wait_until(f"the address of v2 at {name}", lambda: next(
            (row for row in committee.admin(name, "/v1/addresses")
             if row["name"] == "v2" and row["addresses"][:1] == [moved]), None))
        check(book["table"] == "committee", f"{name} has v2 in {book['table']}")
    third = committee.put("v2", "discovery", "3")
    for name in everybody:
        committee.wait_commit(name, third["commit"])
    shown = monodon("peers", "--book", "--home", committee.home("o0"), "-o", "plain")
    lines = [line for line in shown.splitlines() if "v2" in line and moved in line]
    check(lines, f"monodon peers --book: {shown}")


sys.exit(run(test))
