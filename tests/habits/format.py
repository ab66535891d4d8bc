#!/usr/bin/env python3
"""Holds every C++ file against .clang-format. Usage: format.py CLANG_FORMAT"""

import subprocess
import sys

from build import ROOT, report
from sources import CPP, project_files


# A process for each file would spend most of its time on starting.
FILES_AT_ONCE = 25


def complaint(program, paths, cwd):
    """What clang-format would change in these files, None when nothing."""
    done = subprocess.run(
        [program, "--dry-run", "-Werror", "--ferror-limit=1", *paths],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    return f"{done.stderr.strip()}\nwrite: clang-format -i on the files that are named here"


def main():
    program = sys.argv[1]
    files = [path for path in project_files() if path.endswith(CPP)]
    groups = [files[at : at + FILES_AT_ONCE] for at in range(0, len(files), FILES_AT_ONCE)]
    return report(lambda group: complaint(program, group, ROOT), groups)


if __name__ == "__main__":
    sys.exit(main())
