#!/usr/bin/env python3
"""On a disk that neither writes nor refuses a node is not called alive. One that refuses ends it at once,
with 65 and the reason. The others go on, and on a disk that is mended the node has all it acknowledged."""

import os
import sys

from harness import Load, check, request, run, wait_until

VICTIM = "v3"


def health(committee, target):
    """(status, text)"""
    connection = committee.api(VICTIM)
    try:
        status, _, body = request(connection, "GET", target)
    finally:
        connection.close()
    return status, body.decode()


def test(committee):
    committee.up("--without", VICTIM)
    word = committee.root / "disk"
    process = committee.start(VICTIM, variables={"LD_PRELOAD": os.path.abspath(sys.argv[2]),
                                                 "FAILING_DISK": str(word)})
    wait_until("the victim to be ready", lambda: health(committee, "/readyz")[0] == 200)
    load = Load(committee, committee.names, wait="durable", threads=1, pause=0.1)
    load.wait_for(50)
    check(health(committee, "/livez")[0] == 200, "not alive on a disk that works")

    os.mkfifo(word)
    _, text = wait_until("liveness to fail", lambda: (now := health(committee, "/livez"))[0] == 503 and now)
    check("[-]writer of consensus the disk has not answered" in text, f"liveness: {text}")
    check("[+]engine" in text and "[+]writer of batches" in text, f"liveness: {text}")
    check(process.poll() is None, f"the node has ended with {process.poll()}")
    committee.wait_commit("v0", committee.status("v0")["commit"] + 10)

    word.write_text("error")
    code = process.wait(timeout=30)
    check(code == 65, f"exit code {code}")
    lines = [line for line in committee.log(VICTIM) if line["level"] == "error"]
    for message in ("cannot write any more", "this node stops at once"):
        check(any(message in line["msg"] and "Input/output error" in line["error"] for line in lines),
              f"no word of {message!r}: {lines}")
    committee.wait_commit("v0", committee.status("v0")["commit"] + 10)

    word.unlink()
    committee.add(VICTIM)
    load.wait_for(50)
    load.stop()
    committee.put(VICTIM, "mended", "yes", "executed")
    committee.wait_caught_up()
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    load.check_present(committee.names)
    for name in committee.names:
        check(committee.status(name)["equivocations"] == 0, f"{name} saw an equivocation")


sys.exit(run(test))
