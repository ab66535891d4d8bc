#!/usr/bin/env python3
"""The table of hostile peers: every row against a real node of a running committee, whose commits go on.
Usage: hostile_test.py MONODON [ROW...], with the first numbers of rows to run only these."""

import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

try:
    import cryptography  # noqa: F401
except ImportError:
    print("needs the Python package cryptography (Debian: python3-cryptography, tools/setup installs it)")
    sys.exit(77)

from harness import Wrong, check, run  # noqa: E402

import rows_claims  # noqa: E402
import rows_connections  # noqa: E402
import rows_discovery  # noqa: E402
import rows_frames  # noqa: E402
import rows_load  # noqa: E402
import rows_observers  # noqa: E402
import rows_requests  # noqa: E402
import rows_transport  # noqa: E402
from arena import INSIDER, PAUSE_MAX, WITNESS, Arena  # noqa: E402
from peer import Closed  # noqa: E402

MODULES = [rows_transport, rows_frames, rows_requests, rows_claims, rows_load,
           rows_connections, rows_discovery, rows_observers]


def wanted(row):
    return len(sys.argv) < 3 or row.__doc__.split()[0].split("-")[0] in sys.argv[2:]


def guarded(arena, row):
    """The figures of a row; a failure names it."""
    try:
        return row(arena)
    except (Wrong, OSError, Closed) as error:
        raise Wrong(f"row {row.__doc__}: {error!r}") from error


def attack(arena, row, figures=guarded):
    """One row, while the committee commits."""
    arena.clock.reset()
    before = arena.committee.status(WITNESS)["commit"]
    begin = time.monotonic()
    found = figures(arena, row)
    took = time.monotonic() - begin
    arena.committee.wait_commit(WITNESS, before + 1)
    pause = arena.clock.longest
    check(pause < PAUSE_MAX, f"row {row.__doc__}: commits paused for {pause:.1f} s")
    check(arena.pid() == arena.victim_pid, f"row {row.__doc__}: the node was restarted")
    print(f"ok  {row.__doc__} | {found} | pause {pause:.1f} s | took {took:.1f} s", flush=True)


def test(committee):
    arena = Arena(committee)
    rows = [row for module in MODULES for row in filter(wanted, module.ROWS)]
    slow = [row for module in MODULES for row in filter(wanted, module.BACKGROUND)]
    # What waits for a budget of the node waits beside the other rows.
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(slow))) as beside:
        try:
            waiting = {row: beside.submit(guarded, arena, row) for row in slow}
            for row in rows:
                attack(arena, row)
            for row in waiting:
                attack(arena, row, lambda _, row: waiting[row].result())
        finally:
            arena.stop()
    # Nothing of it has done harm: the fourth comes back, and all have the same commits.
    committee.up()
    committee.wait_caught_up()
    committee.verify()
    print(f"{INSIDER} is back, all commits are equal; meanwhile {arena.load.count()} transactions")


if __name__ == "__main__":
    sys.exit(run(test))
