#!/usr/bin/env python3
"""Holds every include of the project against the floors of tools/levels.txt. Silent when they hold."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from sources import CPP, ROOT, includes_of, project_files


def _inside(path, room):
    return path.startswith(room + "/") or path.rsplit(".", 1)[0] == room


@dataclass
class Levels:
    floor: dict = field(default_factory=dict)  # room -> number of its floor, 0 is the lowest
    never: list = field(default_factory=list)  # (folder, folder that nothing in it may include)

    def room_of(self, path):
        """The room of a project file, None when no floor is named for it."""
        fits = [room for room in self.floor if _inside(path, room)]
        return max(fits, key=len, default=None)

    def complaint(self, path, included):
        """Why `path` may not include `included`, None when it may."""
        here, there = self.room_of(path), self.room_of(included)
        if here is None or there is None:
            return f"no floor in tools/levels.txt has {path if here is None else included}"
        for room, forbidden in self.never:
            if _inside(path, room) and _inside(included, forbidden):
                return f"{room} never includes {forbidden}"
        if here != there and self.floor[there] >= self.floor[here]:
            relation = "stands beside" if self.floor[there] == self.floor[here] else "stands above"
            return f"{there} {relation} {here}"
        return None


def parse(text):
    """The floors that a levels.txt describes."""
    levels = Levels()
    number = 0
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[1:2] == ["never"]:
            levels.never += [(words[0], forbidden) for forbidden in words[2:]]
        elif words:
            for room in words:
                if room in levels.floor:
                    raise ValueError(f"{room} stands on two floors")
                levels.floor[room] = number
            number += 1
    for pair in levels.never:
        for name in pair:
            if not any(_inside(room + "/", name) for room in levels.floor):
                raise ValueError(f"{name} stands on no floor")
    return levels


def complaints(levels, root, paths):
    """One line for each include that the floors forbid or that names no file of the project."""
    found = []
    for path in paths:
        if not path.endswith(CPP):
            continue
        for line, name in includes_of((root / path).read_text(encoding="utf-8")):
            if not name.startswith('"'):
                continue
            included = name.strip('"')
            if not (root / included).is_file():
                found.append(f"{path}:{line}: {name} is no path from the root; system headers go in <>")
                continue
            complaint = levels.complaint(path, included)
            if complaint:
                found.append(f"{path}:{line}: may not include {name}: {complaint}")
    return found


def main():
    levels = parse(Path(ROOT / "tools/levels.txt").read_text(encoding="utf-8"))
    found = complaints(levels, ROOT, project_files())
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
