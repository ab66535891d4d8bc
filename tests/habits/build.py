"""What the checks of form take from the build: the flags of each unit, and a memory of what passed."""

import hashlib
import json
import re
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from sources import includes_of  # noqa: E402

JOBS = 2


def commands(build_root, root):
    """{unit: arguments of its compiler} by path from the root, without a wrapper, inputs and outputs. The
    units that a unity build joins have the arguments of what joins them."""
    found = {}
    for entry in json.loads((Path(build_root) / "compile_commands.json").read_text(encoding="utf-8")):
        source = (Path(entry["directory"]) / entry["file"]).resolve()
        flags = _flags(shlex.split(entry["command"]), entry["file"])
        for unit in _joined(source) or [source]:
            if unit.is_relative_to(root):
                found[str(unit.relative_to(root))] = flags
    return found


def _joined(source):
    """The units in a source that Meson has written for a unity build, none for any other source."""
    if not re.search(r"-unity\d+\.cpp$", source.name) or not source.is_file():
        return []
    names = re.findall(r'#include\s*[<"]([^>"]+)[>"]', source.read_text(encoding="utf-8"))
    return [(source.parent / name).resolve() for name in names]


def _flags(words, source):
    if Path(words[0]).name == "ccache":
        words = words[1:]
    kept = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        elif word not in ("-c", "-MD", "-MMD", source):
            kept.append(word)
    return kept


def nearest(path, units):
    """The unit whose folder has most in common with the folder of `path`."""

    def common(unit):
        shared = 0
        for mine, its in zip(Path(path).parts, Path(unit).parts):
            if mine != its:
                break
            shared += 1
        return shared

    return max(sorted(units), key=common)


def closure(path, root):
    """The texts of a file and of every file of the project that it includes, in a fixed order."""
    seen = {}
    waiting = [path]
    while waiting:
        name = waiting.pop()
        if name not in seen and (root / name).is_file():
            seen[name] = (root / name).read_text(encoding="utf-8")
            waiting += [included.strip('"') for _, included in includes_of(seen[name]) if included[0] == '"']
    return [f"{name}\n{text}" for name, text in sorted(seen.items())]


class Memory:
    """Remembers in the build folder which inputs passed: a second run asks only about what changed."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def key(*parts):
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def passed(self, key):
        return (self._folder / key).exists()

    def remember(self, key):
        (self._folder / key).touch()


def report(check, items):
    """Runs check(item) -> complaint or None on a few at a time, prints them, gives the exit code."""
    with ThreadPoolExecutor(JOBS) as pool:
        complaints = [complaint for complaint in pool.map(check, items) if complaint]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0
