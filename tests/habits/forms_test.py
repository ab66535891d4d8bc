#!/usr/bin/env python3
"""Shows the checks of format, headers and lint a file that each must refuse and one that each must accept.

Usage: forms_test.py CLANG_FORMAT CLANG_TIDY CXX
"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

import build
import format as format_check
import headers
import lint

CLANG_FORMAT, CLANG_TIDY, CXX = sys.argv[1:4]


class Forms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name, text):
        (self.root / name).write_text(text, encoding="utf-8")
        return name

    def write_commands(self, command, *units):
        entries = [
            {"directory": str(self.root), "file": unit, "command": command % (unit, unit)} for unit in units
        ]
        self.write("compile_commands.json", json.dumps(entries))

    def test_a_file_that_clang_format_would_change_is_refused(self):
        self.write(".clang-format", (build.ROOT / ".clang-format").read_text(encoding="utf-8"))
        bad, good = self.write("a.cpp", "int  x;\n"), self.write("b.cpp", "int x;\n")
        self.assertIn(bad, format_check.complaint(CLANG_FORMAT, [good, bad, good], self.root))
        self.assertIsNone(format_check.complaint(CLANG_FORMAT, [good, good], self.root))

    def test_a_header_that_needs_another_is_refused(self):
        flags = [CXX, "-std=c++20", "-Werror", f"-I{self.root}"]
        bad = self.write("a.hpp", "#pragma once\nstd::string x();\n")
        good = self.write("b.hpp", "#pragma once\n#include <string>\nstd::string x();\n")
        self.assertIsNotNone(headers.complaint(bad, flags, self.root))
        self.assertIsNone(headers.complaint(good, flags, self.root))

    def test_a_defect_that_clang_tidy_knows_is_refused(self):
        start = "#include <string>\n#include <utility>\nvoid take(std::string);\nauto f(std::string a) {\n"
        bad = self.write("a.cpp", start + "    take(std::move(a));\n    return a.size();\n}\n")
        good = self.write("b.cpp", start + "    take(std::move(a));\n    return 0;\n}\n")
        config = build.ROOT / ".clang-tidy"

        def found(unit):
            return lint.complaint(CLANG_TIDY, self.root / unit, [CXX, "-std=c++20"], self.root, config)

        self.assertIn("use-after-move", found(bad))
        self.assertIsNone(found(good))

    def test_flags_lose_wrapper_input_and_output(self):
        self.write_commands("ccache c++ -Ix -std=c++20 -MD -MQ a.o -MF a.d -o %s.o -c %s", "a.cpp")
        found = build.commands(self.root, self.root.resolve())
        self.assertEqual({"a.cpp": ["c++", "-Ix", "-std=c++20"]}, found)

    def test_units_that_a_unity_build_joins_have_its_flags(self):
        self.write("a.cpp", "")
        self.write("x-unity0.cpp", f"#include<{self.root / 'a.cpp'}>\n")
        self.write_commands("c++ -Ix -o %s.o -c %s", "x-unity0.cpp")
        self.assertEqual({"a.cpp": ["c++", "-Ix"]}, build.commands(self.root, self.root.resolve()))

    def test_the_nearest_unit_lends_its_flags(self):
        units = ["dag/a.cpp", "net/b.cpp", "net/rpc/b.cpp"]
        self.assertEqual("net/rpc/b.cpp", build.nearest("net/rpc/a.hpp", units))

    def test_a_change_of_an_included_header_asks_again(self):
        self.write("a.cpp", '#include "a.hpp"\n')
        self.write("a.hpp", "int a;\n")
        before = build.Memory.key(build.closure("a.cpp", self.root))
        self.write("a.hpp", "int b;\n")
        self.assertNotEqual(before, build.Memory.key(build.closure("a.cpp", self.root)))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
