#!/usr/bin/env python3
"""Runs clang-tidy with the project's .clang-tidy. Usage: lint.py CLANG_TIDY BUILD_ROOT FOLDER...

Only folders that do not see Asio or Beast: those units take long, and what is found there is in Boost.
"""

import subprocess
import sys
from pathlib import Path

from build import ROOT, Memory, closure, commands, report


def complaint(program, unit, flags, build_root, config):
    """What clang-tidy says about one unit, None when it is content."""
    done = subprocess.run(
        [program, "--quiet", f"--config-file={config}", str(unit), "--",
         *flags[1:], "-Wno-unknown-warning-option"],
        cwd=build_root,
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"{unit}:\n{done.stdout[:4000] or done.stderr[:4000]}"


def main():
    program, build_root, folders = sys.argv[1], Path(sys.argv[2]), tuple(sys.argv[3:])
    units = commands(build_root, ROOT)
    memory = Memory(build_root / "habits/lint")
    config = ROOT / ".clang-tidy"

    def check(unit):
        key = Memory.key(units[unit], config.read_text(encoding="utf-8"), closure(unit, ROOT))
        if memory.passed(key):
            return None
        found = complaint(program, ROOT / unit, units[unit], build_root, config)
        if found is None:
            memory.remember(key)
        return found

    return report(check, [unit for unit in sorted(units) if unit.startswith(folders)])


if __name__ == "__main__":
    sys.exit(main())
