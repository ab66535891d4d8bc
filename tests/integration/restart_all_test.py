#!/usr/bin/env python3
"""All four validators are killed at once under load. After the restart nothing that was acknowledged
as durable is lost, nothing is ordered twice, and the chain goes on where it was."""

import sys

from harness import Load, check, run


def known_chain(committee):
    """index -> digest, of all that any node shows."""
    chain = {}
    for name in committee.names:
        for commit in committee.commits(name):
            digest = chain.setdefault(commit["index"], commit["digest"])
            check(digest == commit["digest"], f"{name} has another commit {commit['index']} than the others")
    return chain


def test(committee):
    committee.up()
    kills = 0
    for _ in range(2):
        load = Load(committee, committee.names, wait="durable", prefix=f"life{kills}")
        load.wait_for(200)
        before = known_chain(committee)
        load.wait_for(100)
        committee.kill(*committee.names)
        kills += 1
        load.stop()
        committee.up()
        after = known_chain(committee)
        for index, digest in before.items():
            check(after.get(index) == digest, f"commit {index} is not what it was before the kill")
        # What was acknowledged before the kill is ordered after it.
        receipt = committee.put("v1", f"after-{kills}", "yes", "executed")
        committee.wait_commit("v0", receipt["commit"] + 3)
        committee.wait_caught_up()
        load.check_present(committee.names)
        pairs = committee.verify()
        check(all(pair["result"] == "equal" for pair in pairs), f"verify: {pairs}")
        for name in committee.names:
            committee.check_no_batch_twice(name)
        status = committee.status("v0")
        check(status["equivocations"] == 0, f"{status['equivocations']} equivocations")
        commits = f"{len(before)} commits before, {status['commit']} now"
        print(f"kill {kills}: {load.count()} acknowledged, {commits}")


sys.exit(run(test))
