#!/usr/bin/env python3
"""Ends tools/check: what failed in the test runs of these build folders, then the sum.

Usage: count.py BROKEN FOLDER... BROKEN is the number of steps that failed before a test could run; a folder
without a log is at least one. The last line is always `N passed, N failed, N skipped`.
"""

import json
import sys
from pathlib import Path

PASSED = ("OK", "EXPECTEDFAIL")
LAST_LINES = 40


def results(folder):
    """The records that Meson logged about the tests of one build folder."""
    log = Path(folder) / "meson-logs/testlog.json"
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]


def summary(broken, folders):
    """What to say about the tests that did not pass, and how many there were of each kind."""
    counts = {"passed": 0, "failed": broken, "skipped": 0}
    said = []
    for folder in folders:
        for test in results(folder):
            if test["result"] in PASSED:
                counts["passed"] += 1
            elif test["result"] == "SKIP":
                counts["skipped"] += 1
                said.append(f"skipped: {test['name']} in {folder}: {last_line(test)}")
            else:
                counts["failed"] += 1
                why = f"{test['result']}, {test['duration']:.1f} s"
                said += [f"--- failed: {test['name']} in {folder} ({why})", tail(test)]
    return said, counts


def tail(test):
    text = (test.get("stdout") or "") + (test.get("stderr") or "")
    return "\n".join(text.splitlines()[-LAST_LINES:])


def last_line(test):
    return (tail(test).splitlines() or ["no reason given"])[-1]


def main():
    broken, folders = int(sys.argv[1]), sys.argv[2:]
    missing = sum(1 for folder in folders if not results(folder))
    said, counts = summary(max(broken, missing), folders)
    for text in said:
        print(text)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
