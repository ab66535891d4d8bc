#!/usr/bin/env python3
"""Compares the names that subprojects/*.wrap provide with the names that the build asks for."""

import configparser
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# From the system only: the compiler's own, and libraries that Meson cannot build.
WITHOUT_WRAP = {"dl", "threads", "boost", "openssl", "libsodium"}


def asked_for(texts):
    """The names of every dependency('name') in these build files, in lower case as Meson compares them."""
    calls = (re.findall(r"\bdependency\(\s*'([^']+)'", text) for text in texts)
    return {name.lower() for names in calls for name in names}


def provided(text):
    """The names that one wrap provides, in lower case."""
    wrap = configparser.ConfigParser()
    wrap.read_string(text)
    names = {key for key in wrap["provide"] if key not in ("dependency_names", "program_names")}
    names |= {name.strip().lower() for name in wrap["provide"].get("dependency_names", "").split(",")}
    return names - {""}


def overridden(text):
    """The names that a build file laid over a wrap's sources declares, in lower case."""
    return {name.lower() for name in re.findall(r"meson\.override_dependency\(\s*'([^']+)'", text)}


class Wraps(unittest.TestCase):
    def setUp(self):
        self.wraps = sorted((ROOT / "subprojects").glob("*.wrap"))
        folders = ("net", "dag", "storage", "node", "tools", "tests")
        builds = [ROOT / "meson.build"]
        for folder in folders:
            builds += ROOT.glob(f"{folder}/**/meson.build")
        self.asked = asked_for(path.read_text(encoding="utf-8") for path in builds)

    def test_what_the_build_asks_for_has_a_wrap_of_that_name(self):
        names = set().union(*(provided(path.read_text(encoding="utf-8")) for path in self.wraps))
        self.assertEqual(self.asked - WITHOUT_WRAP, names)
        self.assertLessEqual(WITHOUT_WRAP, self.asked)

    def test_each_wrap_keeps_its_promise(self):
        for path in self.wraps:
            with self.subTest(wrap=path.name):
                wrap = configparser.ConfigParser()
                wrap.read(path)
                self.assertRegex(wrap["wrap-file"]["source_url"], r"^https://")
                self.assertRegex(wrap["wrap-file"]["source_hash"], r"^[0-9a-f]{64}$")
                laid = ROOT / "subprojects/packagefiles" / wrap["wrap-file"]["patch_directory"]
                declared = overridden((laid / "meson.build").read_text(encoding="utf-8"))
                self.assertEqual(provided(path.read_text(encoding="utf-8")), declared)

    def test_a_wrong_name_would_be_seen(self):
        build = "x = dependency('lmdb', version: '>=1')\n# the dependency of x\n"
        self.assertEqual({"lmdb"}, asked_for([build]))
        self.assertEqual({"liblmdb", "b"}, provided("[provide]\ndependency_names = libLMDB\nb = b_dep\n"))
        self.assertEqual({"c"}, overridden("meson.override_dependency('C', declare_dependency())\n"))


if __name__ == "__main__":
    unittest.main()
