#!/usr/bin/env python3
"""Proves that every unit and every header of the project stands alone. Usage: headers.py BUILD_ROOT

The build joins units, so that one may live on what another includes. Here each is compiled by itself, without
code generation. A header beside a unit that includes it first is proven with it (tools/tidy.py holds the
order); every other one is compiled alone, with the flags of the nearest unit.
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
    alone = sorted(units) + [
        path
        for path in project_files()
        if path.endswith(".hpp") and path[: -len(".hpp")] + ".cpp" not in units
    ]

    def check(file):
        flags = units[file if file in units else nearest(file, units)]
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
