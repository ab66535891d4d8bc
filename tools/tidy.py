#!/usr/bin/env python3
"""The house rules that a machine can hold: a finding names what to write instead. Silent when all hold.

A rule that is wrong is changed here, with a reason, and so is an exception: no file can switch one off for
itself. Every rule has samples in tests/habits/tidy_test.py that it must find and that it must let pass.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from sources import CPP, ROOT, code_of, comments_of, includes_of, project_files

LINES_MAX = 600
COLUMNS_MAX = 110
# Of any file: what is larger is data that a test should make, or a trace that was left behind.
BYTES_MAX = 400 * 1024
SCRIPTS = (".py", ".sh", ".js")
CODE = CPP + SCRIPTS + (".build",)
PROSE = (".md", ".txt", ".html", ".css")
ROOMS = ("net/", "dag/", "storage/", "node/", "tools/", "tests/")
# Inputs that programs have made: their bytes have no form to keep.
DATA = ("tests/fuzz/corpus/",)
# The checks themselves spell out what they ban.
OF_THE_CHECKS = ("tools/tidy.py", "tests/habits/")


@dataclass(frozen=True)
class Rule:
    name: str
    folders: tuple  # where it holds: path prefixes, () is everywhere
    pattern: str
    instead: str
    suffixes: tuple = CPP
    part: str = "code"  # code: without comments and strings; comments; text: everything
    except_in: tuple = ()  # path prefixes


@dataclass(frozen=True)
class Home:
    """A library that only some files may include, so that the rest builds fast and can be read without it."""

    header: str
    files: tuple
    instead: str


RULES = (
    # dag/ is a function of its events.
    Rule("dag-io", ("dag/",), r"\b(asio|boost|spdlog|sockaddr|std::(f|if|of)stream)\b|\bfopen\b",
         "an effect that is returned: dag/ does no I/O"),
    Rule("dag-include", ("dag/",),
         r'#include\s*[<"](boost/|spdlog/|mutex|shared_mutex|thread|atomic|condition_variable|future|chrono'
         r"|random|fstream|iostream|filesystem|unordered_map|unordered_set|net/core/log\.hpp)",
         "nothing: dag/ has no I/O, clock, thread, log or unordered order; net/core/time.hpp is its time"),
    Rule("dag-thread", ("dag/",),
         r"\bstd::(mutex|shared_mutex|thread|jthread|atomic\w*|condition_variable|async)\b",
         "nothing: one strand steps the engine"),
    Rule("dag-clock", ("dag/",),
         r"_clock\b|\bclock_gettime\b|\bgettimeofday\b|\btime\s*\(\s*(nullptr|NULL|0)\s*\)",
         "the Time that step() is given"),
    Rule("dag-random", ("dag/",), r"\bstd::random_device\b|\brand\s*\(|\bgetrandom\b",
         "a seed that is given"),
    Rule("dag-unordered", ("dag/",), r"\bunordered_(multi)?(map|set)\b",
         "std::map or std::set: no order may depend on the platform"),
    Rule("dag-throw", ("dag/",), r"\bthrow\b|\bcatch\s*\(",
         "Expected for a peer's fault, MONODON_CHECK for ours"),
    Rule("dag-links", ("dag/",), r"\b(?!core_dep\b|dag_dep\b)\w+_dep\b",
         "core_dep alone: what is not linked cannot be done", suffixes=("meson.build",)),
    Rule("no-floating-point", ("dag/model/", "dag/graph/", "dag/ordering/"), r"\b(double|float)\b",
         "integers: every node must get the same bits"),
    Rule("own-draw", ("dag/", "tools/simulate", "tests/sim/"),
         r"\bstd::(\w+_distribution|shuffle|sample|mt19937\w*|minstd_rand\w*)\b",
         "the project's own integer draw: the standard's distributions differ per library"),
    # Owners, limits, failures.
    Rule("detached", (), r"\bdetached\b", "co_spawn with a completion handler: every coroutine has an owner"),
    Rule("coroutine-reference", (),
         r"\b(awaitable|Task)<[^;{}()]*>\s+[\w:~]+\s*\((?=[^;{]*[\w>]\s*&)[^;{]*[;{]",
         "a parameter by value: a reference does not live as long as the coroutine"),
    Rule("assert", (), r"(?<![\w.])assert\s*\(|<cassert>|<assert\.h>", "MONODON_CHECK: it is always on"),
    Rule("raw-memory", (),
         r"(?<!=)\s\bdelete\b(?=\s*(\[\s*\])?\s*[\w(*])"
         r"|^(?![^\n]*_ptr<[^\n;]*[({]\s*new\b)[^\n]*\bnew\s+[\w:]+\s*[\w:<({\[;,)]",
         "std::make_unique or a container"),
    Rule("unsynced", (), r"\bMDB_(NOSYNC|NOMETASYNC|MAPASYNC|WRITEMAP)\b",
         "a kind of environment of storage/lmdb/: what binds us is durable first",
         except_in=("storage/lmdb/",)),
    Rule("printing", ("net/", "dag/", "storage/", "node/"),
         r"\bstd::(cout|cerr|clog)\b|\b(f|v|vf)?printf\s*\(", "to net/core/log.hpp",
         except_in=("net/core/check.cpp", "net/core/log.cpp")),
    Rule("any-engine", (), r"\bdefault_random_engine\b",
         "an engine that is named: this one differs per library"),
    # What makes everybody's build slow.
    Rule("regex", (), r"<regex>|\bstd::w?regex\b", "a scan by hand: <regex> is slow to build and to run"),
    Rule("umbrella", (), r'[<"]boost/(asio|beast)\.hpp', "the single headers of Asio and Beast"),
    Rule("bits", (), r"<bits/", "the standard's header"),
    Rule("using-in-header", (), r"\busing\s+namespace\b", "the names in full: a header opens no namespace",
         suffixes=(".hpp",)),
    # Tests.
    Rule("sleep", ("tests/",), r"\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(",
         "tests/eventually.hpp, or a wait for what notifies", except_in=("tests/eventually.hpp",)),
    Rule("hollow-test", ("tests/",), r"\b(CHECK|REQUIRE)\s*\(\s*(true|1)\s*\)|\bSUCCEED\s*\(",
         "a check that can fail"),
    Rule("hidden-test", ("tests/",), r"TEST_CASE\s*\([^)]*\[[.!]", "a test that runs", part="text"),
    # Words.
    Rule("unfinished", (),
         r"\b(TODO|FIXME|XXX|HACK)\b|(?i:\bnot implemented\b|\bunimplemented\b|\bplaceholder\b)",
         "the thing itself, or say in the README what is missing", suffixes=CODE + PROSE, part="text"),
    Rule("history", (), r"(?i)\b(now uses|used to be|formerly|was renamed|was refactored)\b",
         "what holds and why: what was is in git log", part="comments"),
    Rule("machine-path", (), r"(?<![\w.$}/~*-])/(work|root|home|Users)/\w",
         "a path from the root of the project, or an option", suffixes=CODE + PROSE, part="text"),
)

HOMES = (
    Home("spdlog/", ("net/core/log.cpp",), "net/core/log.hpp"),
    Home("sodium.h", ("net/core/",), "net/core/keys.hpp"),
    Home("lmdb.h", ("storage/lmdb/",), "storage/lmdb/"),
    Home("msgpack", ("net/wire/",), "net/wire/"),
    Home("openssl/", ("net/core/", "net/transport/", "tests/"), "net/core/digest.hpp or net/transport/"),
    Home("boost/beast/src.hpp", ("node/beast_impl.cpp",), "<boost/beast/...>"),
    Home("boost/asio/impl/src.hpp", ("net/transport/asio_impl.cpp",), "<boost/asio/...>"),
    Home("boost/asio/ssl/impl/src.hpp", ("net/transport/asio_impl.cpp",), "<boost/asio/ssl/...>"),
    Home("xxhash.h", ("storage/",), "storage/"),
    Home("zstd.h", ("storage/", "net/", "node/"), "the room that compresses"),
    Home("CLI/", ("tools/",), "tools/"),
    Home("toml++/", ("node/", "tools/"), "the one unit that reads configuration"),
)


class Source:
    """One file with the views that rules look at, each made once."""

    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8")
        self._views = {"text": self.text}

    def view(self, part):
        if part not in self._views:
            self._views[part] = {"code": code_of, "comments": comments_of}[part](self.text)
        return self._views[part]


def _applies(rule, path):
    return (
        path.endswith(rule.suffixes)
        and (not rule.folders or path.startswith(rule.folders))
        and not path.startswith(rule.except_in + OF_THE_CHECKS)
    )


def check_rules(source):
    for rule in RULES:
        if not _applies(rule, source.path):
            continue
        view = source.view(rule.part if source.path.endswith(CPP) else "text")
        for match in re.finditer(rule.pattern, view, re.MULTILINE):
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            line = view.count("\n", 0, start) + 1
            yield line, rule.name, f"{' '.join(match[0].split())[:60]!r}; write {rule.instead}"


def check_homes(source):
    if not source.path.endswith(CPP):
        return
    for line, name in includes_of(source.text):
        for home in HOMES:
            if name.strip('<>"').startswith(home.header) and not source.path.startswith(home.files):
                yield line, "home", f"{name} has its home in {' '.join(home.files)}; write {home.instead}"


def check_form(source):
    path, text = source.path, source.text
    lines = text.split("\n")
    is_code = path.endswith(CODE) or text.startswith("#!")
    if text and not text.endswith("\n"):
        yield len(lines), "last-line", "ends without a newline; write one"
    if text.endswith("\n\n"):
        yield len(lines) - 1, "last-line", "ends with an empty line; write one newline"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "trailing-space", "space at the end of the line; write none"
        if "\t" in line:
            yield number, "tab", "tab; write spaces"
        if is_code and len(line) > COLUMNS_MAX:
            yield number, "long-line", f"{len(line)} columns; write at most {COLUMNS_MAX}"
    if is_code and len(lines) - 1 > LINES_MAX:
        yield LINES_MAX, "long-file", f"{len(lines) - 1} lines; write at most {LINES_MAX}, better 300"
    if path.endswith(".hpp") and "#pragma once\n" not in source.view("code"):
        yield 1, "pragma-once", "a header without it; write #pragma once"
    if re.match(r"#!.*\b(ba)?sh\b", text) and not re.search(r"^set -euo pipefail$", text, re.MULTILINE):
        yield 1, "shell-strict", "a script that goes on after a failure; write set -euo pipefail"


def check_own_header_first(source, paths):
    """The unit that includes its header first proves that the header stands alone."""
    if not source.path.endswith(".cpp"):
        return
    header = source.path[: -len(".cpp")] + ".hpp"
    if header in paths:
        names = includes_of(source.text)
        if not names or names[0][1] != f'"{header}"':
            line = names[0][0] if names else 1
            yield line, "own-header-first", f'write #include "{header}" as the first include'


def check_built(root, paths):
    """Every unit is named by a meson.build: a file that is not built is a file that nobody checks."""
    builds = {
        Path(path).parent: (root / path).read_text(encoding="utf-8")
        for path in paths
        if path.endswith("meson.build")
    }
    for path in paths:
        if path.endswith(".cpp") and path.startswith(ROOMS):
            above = (folder for folder in Path(path).parents if folder in builds)
            if not any(f"'{Path(path).relative_to(folder)}'" in builds[folder] for folder in above):
                yield path, 1, "dead-file", "no meson.build names it; name it or remove it"


def check_sizes(root, paths):
    for path in paths:
        size = (root / path).stat().st_size
        if size > BYTES_MAX:
            what = f"{size} bytes; write at most {BYTES_MAX}, or make it where it is used"
            yield path, 1, "large-file", what


def check_readmes(paths):
    """A newcomer finds a page in every top-level folder with code."""
    rooms = {path.split("/")[0] for path in paths if path.endswith(CPP) and path.startswith(ROOMS)}
    for folder in sorted(rooms):
        if f"{folder}/README.md" not in paths:
            yield f"{folder}/README.md", 1, "readme", "missing; write what lives there and why"


def findings(root, paths):
    """(path, line, rule, what) of everything in these files, paths relative to root, that breaks a rule."""
    known = set(paths)
    for path in paths:
        if path.startswith(DATA):
            continue
        try:
            source = Source(root, path)
        except UnicodeDecodeError:
            continue  # a picture
        for line, name, what in check_rules(source):
            yield path, line, name, what
        for check in (check_homes, check_form):
            for line, name, what in check(source):
                yield path, line, name, what
        for line, name, what in check_own_header_first(source, known):
            yield path, line, name, what
    yield from check_sizes(root, paths)
    yield from check_built(root, paths)
    yield from check_readmes(known)


def main():
    found = list(findings(ROOT, project_files()))
    for path, line, name, what in found:
        print(f"{path}:{line}: {name}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
