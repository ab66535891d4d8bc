#!/usr/bin/env python3
"""Nothing of the planted faults is in the product: neither code nor a name. Usage: planted_absent.py PROGRAM
[PLANTED], where PLANTED is a program that has them, to show that they would be seen."""

import sys
from pathlib import Path

MARK = b"planted"


def main():
    program, *planted = sys.argv[1:]
    found = Path(program).read_bytes().count(MARK)
    if found:
        print(f"{program} has {found} traces of planted faults")
        return 1
    for other in planted:
        if MARK not in Path(other).read_bytes():
            print(f"{other} has the faults, and no trace of them is seen: this check sees nothing")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
