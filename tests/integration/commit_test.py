#!/usr/bin/env python3
"""Four validators commit, and every one of them can be asked for what was committed."""

import json
import shutil
import stat
import subprocess
import sys

from harness import check, monodon, percentile, run


def test(committee):
    committee.up()
    latencies = []
    written = {}
    for round_trip in range(5):
        for name in committee.names:
            key = f"{name}-{round_trip}"
            receipt = committee.put(name, key, f"value of {key}", "executed")
            check(receipt["status"] == "executed" and receipt["result"] == "ok", f"receipt {receipt}")
            check(receipt["commit"] > 0 and receipt["validator"] == name, f"receipt {receipt}")
            latencies.append(receipt["latency_ms"]["committed"])
            written[key] = f"value of {key}"
    committee.wait_caught_up()
    for name in committee.names:
        for key, value in written.items():
            check(committee.read(name, key) == value, f"{name} has not {key}")
        check(committee.read(name, "never-written") is None, f"{name} has a key that nobody wrote")

    at_v2 = ("--dir", committee.dir, "--node", "v2", "-o", "json")
    receipt = json.loads(monodon("tx", "submit", "--op", "put", "colour", "blue", *at_v2))
    check(receipt["status"] == "committed", f"tx submit: {receipt}")
    again = json.loads(monodon("tx", "get", receipt["id"], *at_v2))
    check(again["commit"] == receipt["commit"], f"tx get says {again}, tx submit said {receipt}")

    pairs = committee.verify()
    check(len(pairs) == 6 and all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    for name in committee.names:
        committee.check_no_batch_twice(name)
    roots = {}
    for name in committee.names:
        state = committee.admin(name, "/v1/state")
        roots.setdefault(state["state_root_index"], set()).add(state["state_root"])
    check(all(len(found) == 1 for found in roots.values()), f"different state roots at one commit: {roots}")

    socket = committee.home("v0") / "admin.sock"
    mode = stat.S_IMODE(socket.stat().st_mode)
    check(mode == 0o600, f"admin.sock has mode {mode:o}")
    check(shutil.which("curl") is not None, "curl is missing: run tools/setup")
    done = subprocess.run(
        ["curl", "-sS", "--unix-socket", str(socket), "http://x/v1/status"],
        capture_output=True, timeout=20, check=False,
    )
    check(done.returncode == 0, f"curl: {done.stderr!r}")
    check(json.loads(done.stdout)["name"] == "v0", f"curl got {done.stdout[:200]!r}")
    print(f"commit p50 {percentile(latencies, 0.5):.0f} ms, p99 {percentile(latencies, 0.99):.0f} ms")


sys.exit(run(test))
