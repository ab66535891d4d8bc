#!/usr/bin/env python3
"""A validator whose every message is 20 ms late still has its transactions committed, while the others
are loaded."""

import sys

from harness import Load, check, percentile, run


def test(committee):
    committee.up("--node-set", "v2:debug.send_delay=20ms")
    load = Load(committee, ["v0", "v1", "v3"], wait="committed", threads=1)
    load.wait_for(20)
    latencies = []
    for count in range(20):
        receipt = committee.put("v2", f"late-{count}", "all the same", "committed")
        check(receipt["status"] in ("committed", "executed"), f"receipt {receipt}")
        latencies.append(receipt["latency_ms"]["committed"])
    load.stop()
    committee.wait_caught_up()
    for name in committee.names:
        for count in range(20):
            check(committee.read(name, f"late-{count}") == "all the same", f"{name} lacks late-{count}")
    pairs = committee.verify()
    check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
    print(f"p50 {percentile(latencies, 0.5):.0f} ms, most {max(latencies):.0f} ms at the late validator")


sys.exit(run(test))
