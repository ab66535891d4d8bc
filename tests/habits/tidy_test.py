#!/usr/bin/env python3
"""Shows every rule of tools/tidy.py what it must find and what it must let pass."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import sources  # noqa: E402
import tidy  # noqa: E402

# rule -> (path, text) pairs that must be found, and pairs that must pass
BAD = {
    "dag-io": [("dag/a.cpp", "std::ofstream out;\n"), ("dag/a.cpp", "void f(asio::any_io_executor);\n")],
    "dag-include": [
        ("dag/a.hpp", "#include <boost/asio/post.hpp>\n"),
        ("dag/a.hpp", "#include <unordered_map>\n"),
        ("dag/sync/a.hpp", '#include "net/core/log.hpp"\n'),
    ],
    "dag-thread": [("dag/a.cpp", "std::mutex m;\n")],
    "dag-clock": [("dag/a.cpp", "auto t = std::chrono::steady_clock::now();\n")],
    "dag-random": [("dag/a.cpp", "std::random_device d;\n")],
    "dag-unordered": [("dag/a.cpp", "std::unordered_set<int> s;\n")],
    "dag-throw": [("dag/a.cpp", "void f() { throw 1; }\n"), ("dag/a.cpp", "} catch (...) {\n")],
    "dag-links": [("dag/meson.build", "dependencies: [core_dep, boost_dep]\n")],
    "no-floating-point": [("dag/ordering/a.cpp", "double score = 0;\n")],
    "own-draw": [("tests/sim/a.cpp", "std::uniform_int_distribution<int> d;\n")],
    "detached": [("node/a.cpp", "co_spawn(e, f(), asio::detached);\n")],
    "coroutine-reference": [
        ("net/a.hpp", "asio::awaitable<void> serve(Connection& peer);\n"),
        ("net/a.cpp", "Task<Expected<int, E>> Peer::get(int id,\n    const std::string& name) {\n"),
        ("net/a.cpp", "asio::awaitable<int> send(Bytes&& body);\n"),
    ],
    "assert": [("net/a.cpp", "assert(x);\n"), ("net/a.cpp", "#include <cassert>\n")],
    "raw-memory": [
        ("node/a.cpp", "auto* p = new Node(1);\n"),
        ("node/a.cpp", "auto* p = new int[3];\n"),
        ("node/a.cpp", "store.reset(new Store(path));\n"),
        ("node/a.cpp", "    delete p;\n"),
        ("node/a.cpp", "    delete[] p;\n"),
    ],
    "unsynced": [("storage/a.cpp", "int flags = MDB_NOSYNC;\n")],
    "printing": [("node/a.cpp", 'std::cerr << "x";\n'), ("storage/a.cpp", 'printf("x");\n')],
    "any-engine": [("tools/a.cpp", "std::default_random_engine e;\n")],
    "regex": [("tools/a.cpp", "#include <regex>\n"), ("tools/a.cpp", "std::regex r;\n")],
    "umbrella": [("net/a.cpp", "#include <boost/asio.hpp>\n")],
    "bits": [("net/a.cpp", "#include <bits/stdc++.h>\n")],
    "using-in-header": [("net/a.hpp", "using namespace std;\n")],
    "sleep": [("tests/a.cpp", "std::this_thread::sleep_for(1s);\n"), ("tests/a.cpp", "usleep(3);\n")],
    "hollow-test": [("tests/a.cpp", "REQUIRE(true);\n")],
    "hidden-test": [("tests/a.cpp", 'TEST_CASE("it works", "[.]") {}\n')],
    "unfinished": [
        ("net/a.cpp", "// TODO: more\n"),
        ("net/README.md", "Not implemented.\n"),
        ("tools/a.sh", "# a placeholder\n"),
    ],
    "history": [("net/a.cpp", "// This now uses a map.\nint x;\n")],
    "machine-path": [("net/README.md", "see /work/main\n"), ("net/a.cpp", 'auto p = "/home/me/x";\n')],
    "large-file": [
        ("tests/conformance/cases.json", "0" * (400 * 1024) + "\n"),
        ("tests/fuzz/corpus/pack/found-1", "0" * (400 * 1024 + 1)),
    ],
    "home": [("node/a.cpp", "#include <spdlog/spdlog.h>\n"), ("node/a.cpp", "#include <lmdb.h>\n")],
    "last-line": [("net/README.md", "no newline"), ("net/README.md", "two\n\n")],
    "trailing-space": [("net/README.md", "end \n")],
    "tab": [("net/a.cpp", "\tint x;\n")],
    "long-line": [("net/a.cpp", "/" * 111 + "\n"), ("tools/a", "#!/bin/x " + "y" * 111 + "\n")],
    "long-file": [("net/a.cpp", "int x;\n" * 601)],
    "pragma-once": [("net/a.hpp", "// #pragma once\nint x;\n")],
    "shell-strict": [("tools/a", "#!/usr/bin/env bash\necho\n")],
    "own-header-first": [("net/a.cpp", '#include <vector>\n#include "net/a.hpp"\n')],
    "dead-file": [("net/unbuilt.cpp", "int x;\n")],
    "readme": [("storage/a.cpp", "int x;\n")],
}
GOOD = [
    ("tests/conformance/cases.json", "0" * (400 * 1024 - 1) + "\n"),
    ("dag/a.cpp", "// no std::mutex, no steady_clock, nothing to throw; boost is elsewhere\nint x;\n"),
    ("dag/a.cpp", 'const char* kText = "std::mutex and throw";\n'),
    ("dag/meson.build", "'a.cpp', dependencies: [core_dep]\ndag_dep = declare_dependency()\n"),
    ("dag/progress/a.hpp", "#pragma once\ndouble rate = 0;\n"),
    ("net/core/a.cpp", "std::unordered_map<int, int> lookup;\n"),
    ("net/a.cpp", "asio::awaitable<void> serve(std::shared_ptr<Connection> peer, Bytes body);\n"),
    ("net/a.hpp", "#pragma once\nasio::awaitable<void> serve(Limits limits);\nvoid close(Peer& peer);\n"),
    ("net/a.hpp", "#pragma once\nA(const A&) = delete;\nA& operator=(const A&) = delete;\n"),
    ("net/a.cpp", "static_assert(kNewest > 0);\nMONODON_CHECK(true_enough);\n"),
    ("net/a.cpp", "// a new connection; delete later\nint renew = 1;\n"),
    ("net/a.cpp", "int million = 1'000'000; // it's\nchar c = '\"'; char d = '\\'';\n"),
    ("net/a.cpp", 'auto url = "http://x/y"; auto raw = R"(assert( " )"; int y;\n'),
    ("net/a.cpp", "auto store = std::unique_ptr<Store>(new Store(path));  // its constructor is private\n"),
    ("net/a.cpp", "std::unique_ptr<Store> store(new Store(path));\n"),
    ("net/core/log.cpp", "#include <spdlog/spdlog.h>\n"),
    ("storage/lmdb/a.cpp", "#include <lmdb.h>\nint flags = MDB_NOSYNC;\n"),
    ("tests/a.cpp", 'TEST_CASE("a rule holds", "[dag]") { CHECK(x == true); }\n'),
    ("tools/a", "#!/usr/bin/env bash\nset -euo pipefail\nmktemp -d /tmp/x.XXXXXX\n"),
    ("tools/README.md", "an example: https://example.org/work/x and $HOME/home/x\n"),
    ("tests/fuzz/corpus/genesis/found-1", "\tno form, and no newline "),
    ("tools/data.json", '{"long": "' + "x" * 200 + '"}\n'),
]
READMES = [(f"{room}README.md", "x\n") for room in tidy.ROOMS]


def rules_found(files):
    """The names of the rules that a tree of these files breaks."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, text in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return {name for _, _, name, _ in tidy.findings(root, sorted(dict(files)))}


def with_surroundings(path, text):
    """The file in a tree where everything else is in order."""
    files = dict(READMES)
    if path.endswith(".cpp"):
        files[path[: -len(".cpp")].split("/")[0] + "/meson.build"] = f"'{path.split('/', 1)[1]}'\n"
        if path == "net/a.cpp":
            files["net/a.hpp"] = "#pragma once\n"
            text = text if "net/a.hpp" in text else '#include "net/a.hpp"\n' + text
    files[path] = text
    return list(files.items())


class Rules(unittest.TestCase):
    def test_every_rule_finds_what_it_bans(self):
        for name, samples in BAD.items():
            for path, text in samples:
                with self.subTest(rule=name, path=path, text=text[:60]):
                    if name in ("dead-file", "readme"):
                        self.assertIn(name, rules_found([(path, text)]))
                    else:
                        self.assertIn(name, rules_found(with_surroundings(path, text)))

    def test_every_rule_has_a_sample(self):
        formed = {"home", "last-line", "trailing-space", "tab", "long-line", "long-file", "pragma-once",
                  "shell-strict", "own-header-first", "dead-file", "readme", "large-file"}
        self.assertEqual({rule.name for rule in tidy.RULES} | formed, set(BAD))

    def test_what_is_in_order_passes(self):
        for path, text in GOOD:
            with self.subTest(path=path, text=text[:60]):
                self.assertEqual(set(), rules_found(with_surroundings(path, text)))

    def test_a_finding_names_the_line_and_the_replacement(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "net").mkdir()
            (root / "net/a.cpp").write_text("/* two\nlines */\nint x;\nassert(x);\n", encoding="utf-8")
            found = [entry for entry in tidy.findings(root, ["net/a.cpp"]) if entry[2] == "assert"]
        self.assertEqual(("net/a.cpp", 4, "assert"), found[0][:3])
        self.assertIn("MONODON_CHECK", found[0][3])


class Views(unittest.TestCase):
    def test_code_keeps_lines_and_columns(self):
        text = 'a /* b\nc */ "d//e" \'"\' R"x(f")")x" // g\n#include "h.hpp" // i\n'
        code = sources.code_of(text)
        self.assertEqual([len(line) for line in text.split("\n")], [len(line) for line in code.split("\n")])
        self.assertFalse(set("bcdefgi") & set(code.replace("#include", "").replace("h.hpp", "")))
        self.assertEqual([(3, '"h.hpp"')], sources.includes_of(text))

    def test_comments_are_told_from_code(self):
        comments = sources.comments_of('int a; // b\n"// c" /* d\ne */ f\n')
        self.assertEqual(["b", "d", "e"], [word for word in comments.split() if word.isalpha()])


if __name__ == "__main__":
    unittest.main()
