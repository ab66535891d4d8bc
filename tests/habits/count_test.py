#!/usr/bin/env python3
"""Shows tools/count.py test logs and what it must make of them."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COUNT = Path(__file__).resolve().parents[2] / "tools/count.py"


def log(root, folder, *tests):
    (root / folder / "meson-logs").mkdir(parents=True)
    lines = [json.dumps({"name": name, "result": result, "duration": 1.0, "stdout": said, "stderr": ""})
             for name, result, said in tests]
    (root / folder / "meson-logs/testlog.json").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Count(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def count(self, *words):
        done = subprocess.run([sys.executable, COUNT, *words], cwd=self.root, capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()

    def test_the_last_line_sums_all_folders(self):
        log(self.root, "a", ("x", "OK", ""), ("y", "EXPECTEDFAIL", ""), ("z", "SKIP", "no node here\n"))
        log(self.root, "b", ("x", "OK", ""))
        code, lines = self.count("0", "a", "b")
        self.assertEqual((0, "3 passed, 0 failed, 1 skipped"), (code, lines[-1]))
        self.assertIn("no node here", lines[0])

    def test_every_other_end_of_a_test_is_a_failure_and_says_why(self):
        for result in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"):
            with self.subTest(result=result):
                folder = f"of-{result}"
                log(self.root, folder, ("good", "OK", ""), ("bad", result, "line of the log\n"))
                code, lines = self.count("0", folder)
                self.assertEqual((1, "1 passed, 1 failed, 0 skipped"), (code, lines[-1]))
                self.assertIn("line of the log", lines)

    def test_what_could_not_be_run_is_a_failure(self):
        log(self.root, "a", ("x", "OK", ""))
        self.assertEqual((1, ["1 passed, 1 failed, 0 skipped"]), self.count("0", "a", "missing"))
        self.assertEqual((1, ["1 passed, 1 failed, 0 skipped"]), self.count("1", "a", "missing"))
        self.assertEqual((1, ["1 passed, 1 failed, 0 skipped"]), self.count("1", "a"))


if __name__ == "__main__":
    unittest.main()
