#!/usr/bin/env python3
"""Holds every C++ file against .clang-format. Usage: format.py CLANG_FORMAT"""

import subprocess
import sys

from build import ROOT, report
from sources import CPP, project_files


def complaint(program, path, cwd):
    """What clang-format would change in one file, None when nothing."""
    done = subprocess.run(
        [program, "--dry-run", "-Werror", "--ferror-limit=1", path],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"{done.stderr.strip()}\nwrite: clang-format -i {path}"


def main():
    program = sys.argv[1]
    files = [path for path in project_files() if path.endswith(CPP)]
    return report(lambda path: complaint(program, path, ROOT), files)


if __name__ == "__main__":
    sys.exit(main())
