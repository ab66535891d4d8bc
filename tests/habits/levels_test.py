#!/usr/bin/env python3
"""Shows tools/levels.py includes that the floors forbid and includes that they allow."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import levels  # noqa: E402

REAL = levels.parse((ROOT / "tools/levels.txt").read_text(encoding="utf-8"))
FORBIDDEN = [
    ("net/core/a.hpp", "net/wire/b.hpp"),
    ("net/core/a.hpp", "dag/model/b.hpp"),
    ("net/wire/a.hpp", "dag/model/b.hpp"),
    ("net/transport/a.hpp", "dag/model/b.hpp"),
    ("net/transport/a.hpp", "storage/b.hpp"),
    ("net/rpc/a.cpp", "node/b.hpp"),
    ("net/transport/a.hpp", "net/rpc/b.hpp"),
    ("net/rpc/a.hpp", "net/peers/b.hpp"),
    ("dag/model/a.hpp", "dag/graph/b.hpp"),
    ("dag/graph/a.hpp", "dag/ordering/b.hpp"),
    ("dag/ordering/a.cpp", "dag/production/b.hpp"),
    ("dag/production/a.cpp", "dag/engine.hpp"),
    ("dag/events.hpp", "dag/config.hpp"),
    ("storage/a.hpp", "net/peers/b.hpp"),
    ("dag/sync/a.hpp", "net/wire/b.hpp"),
    ("dag/engine.cpp", "net/rpc/b.hpp"),
    ("dag/graph/a.cpp", "storage/b.hpp"),
    ("storage/a.hpp", "net/wire/b.hpp"),
    ("storage/lmdb/a.hpp", "net/transport/b.hpp"),
    ("storage/a.hpp", "node/b.hpp"),
    ("node/a.cpp", "tools/b.hpp"),
    ("tools/a.cpp", "tests/b.hpp"),
    ("tools/simulate/a.cpp", "storage/b.hpp"),
    ("tools/simulate/a.cpp", "net/wire/b.hpp"),
    ("tools/simulate/a.cpp", "tools/b.hpp"),
]
ALLOWED = [
    ("net/wire/a.hpp", "net/core/b.hpp"),
    ("net/transport/a.hpp", "net/wire/b.hpp"),
    ("net/rpc/a.hpp", "net/transport/b.hpp"),
    ("dag/events.hpp", "dag/model/b.hpp"),
    ("dag/ordering/a.hpp", "dag/config.hpp"),
    ("dag/sync/a.hpp", "dag/engine.hpp"),
    ("dag/model/a.hpp", "net/core/b.hpp"),
    ("dag/engine.hpp", "dag/model/b.hpp"),
    ("storage/a.hpp", "net/core/b.hpp"),
    ("storage/a.hpp", "dag/model/b.hpp"),
    ("node/a.hpp", "net/rpc/b.hpp"),
    ("node/a.hpp", "storage/b.hpp"),
    ("node/a.hpp", "dag/engine.hpp"),
    ("tools/a.cpp", "node/b.hpp"),
    ("tools/a.cpp", "tools/simulate/b.hpp"),
    ("tools/simulate/a.cpp", "dag/engine.hpp"),
    ("tests/a.cpp", "tools/b.hpp"),
]


def complaints(text, files, including):
    """What levels.py says about a tree of these files whose `including` has this text."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in [*files, including]:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text if path == including else "", encoding="utf-8")
        return levels.complaints(REAL, root, sorted([*files, including]))


class Floors(unittest.TestCase):
    def test_what_the_floors_forbid_is_found(self):
        for path, included in FORBIDDEN:
            with self.subTest(path=path, included=included):
                found = complaints(f'#include <vector>\n#include "{included}"\n', [included], path)
                self.assertEqual(1, len(found))
                self.assertTrue(found[0].startswith(f"{path}:2: "))

    def test_what_the_floors_allow_passes(self):
        for path, included in ALLOWED:
            with self.subTest(path=path, included=included):
                self.assertEqual([], complaints(f'#include "{included}"\n', [included], path))

    def test_an_include_in_a_comment_is_none(self):
        self.assertEqual([], complaints('// #include "node/b.hpp"\n', ["node/b.hpp"], "dag/a.cpp"))

    def test_a_path_that_does_not_begin_at_the_root_is_found(self):
        self.assertEqual(1, len(complaints('#include "b.hpp"\n', ["dag/b.hpp"], "dag/a.cpp")))

    def test_a_folder_without_a_floor_is_found(self):
        self.assertEqual(1, len(complaints('#include "dag/b.hpp"\n', ["dag/b.hpp"], "elsewhere/a.cpp")))

    def test_a_room_stands_on_one_floor_only(self):
        with self.assertRaises(ValueError):
            levels.parse("a\nb a\n")
        with self.assertRaises(ValueError):
            levels.parse("a\nb never a\n")
        self.assertEqual([("b", "a"), ("b", "c")], levels.parse("a/x\nb\nc\nb never a c\n").never)


if __name__ == "__main__":
    unittest.main()
