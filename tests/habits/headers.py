#!/usr/bin/env python3
"""Proves that every header of the project stands alone. Usage: headers.py BUILD_ROOT

The build joins units, so that it proves this for few. Each is compiled alone, without code generation, with
the flags of the unit beside it or of the nearest one. So are the benchmarks, which nothing else builds.
"""

import subprocess
import sys
from pathlib import Path

from build import ROOT, Memory, closure, commands, nearest, report
from sources import project_files


def complaint(file, flags, cwd):
    """What the compiler says about a unit that holds nothing but this file, None when it is content."""
    done = subprocess.run(
        [*flags, "-fsyntax-only", "-x", "c++", "-"],
        input=f'#include "{file}"\n',
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"{file} does not stand alone:\n{done.stderr[:2000]}"


def main():
    build_root = Path(sys.argv[1])
    units = commands(build_root, ROOT)
    memory = Memory(build_root / "habits/headers")
    alone = [
        path
        for path in project_files()
        if path.endswith(".hpp") or (path.startswith("tests/bench/") and path.endswith(".cpp"))
    ]

    def check(file):
        beside = file[: -len(".hpp")] + ".cpp" if file.endswith(".hpp") else file
        flags = units[beside if beside in units else nearest(file, units)]
        key = Memory.key(flags, closure(file, ROOT))
        if memory.passed(key):
            return None
        found = complaint(file, flags, build_root)
        if found is None:
            memory.remember(key)
        return found

    return report(check, alone)


if __name__ == "__main__":
    sys.exit(main())
