#!/usr/bin/env python3
"""Fuzzes every decoder: run.py [--minutes 10] [--jobs N] [TARGET...]

Builds tests/fuzz with Clang, libFuzzer and the sanitizers in a build folder of its own, shows that the fuzzer
finds the planted fault, and then gives each target its time. What is found is minimised and put into the
corpus, where every test run tries it again. Ends with a table, and with exit code 1 if anything was found.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"
PLANTED = "planted"
PLANTED_SECONDS = 120
MINIMISE_SECONDS = 30
# No decoder needs as much for one input; libFuzzer ends a run that does.
MEMORY_MB = 1024
ALLOCATION_MB = 96
INPUT_SECONDS = 20
# What of a grown corpus goes into the tree: few, and small.
GROWN_MAX = 8
GROWN_BYTES_MAX = 4096
STATUS = re.compile(r"^#(\d+)\s.*?cov: (\d+)(?:.*?corp: (\d+))?(?:.*?exec/s: (\d+))?", re.MULTILINE)
FOUND = re.compile(r"Test unit written to (\S+)")


@dataclass
class Result:
    target: str
    seconds: float = 0
    executions: int = 0
    coverage: int = 0
    corpus: int = 0
    findings: tuple = ()
    failure: str = ""

    def per_second(self):
        return round(self.executions / self.seconds) if self.seconds else 0


def build(folder, pure):
    """The two programs, built if need be: what fuzzes, and what replays."""
    programs = [folder / "tests/fuzz/fuzz", folder / "tests/fuzz/fuzz_replay"]
    if not (folder / "build.ninja").exists():
        compiler = "clang++-16"
        if shutil.which("ccache"):
            compiler = f"ccache {compiler}"
        # Debian's own, whatever else comes first in PATH.
        meson = "/usr/bin/meson" if Path("/usr/bin/meson").exists() else "meson"
        options = ["--buildtype=debug", "-Doptimization=1", "-Dfuzz=true", "-Db_sanitize=address,undefined",
                   "-Db_lundef=false", f"-Dpure={'true' if pure else 'false'}"]
        subprocess.run([meson, "setup", folder, *options], cwd=ROOT, check=True,
                       env={**os.environ, "CXX": compiler})
    subprocess.run(["ninja", "-C", folder, *(str(each.relative_to(folder)) for each in programs)], check=True)
    return programs


class Fuzzing:
    def __init__(self, programs, work, minutes, say):
        self.fuzz, self.replay = programs
        self.work = work
        self.seconds = max(1, int(minutes * 60))
        self.say = say
        self.longest = {}
        for line in self.ask("list").splitlines():
            name, longest, _ = line.split("\t", 2)
            self.longest[name] = longest

    def ask(self, *arguments):
        return subprocess.run([self.replay, *arguments], check=True, capture_output=True, text=True).stdout

    def folder(self, target, name):
        folder = self.work / target / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def command(self, target, *options):
        return [self.fuzz, f"-max_len={self.longest[target]}", f"-rss_limit_mb={MEMORY_MB}",
                f"-malloc_limit_mb={ALLOCATION_MB}", f"-timeout={INPUT_SECONDS}", *options]

    @staticmethod
    def environment(target):
        return {**os.environ, "MONODON_FUZZ_TARGET": target,
                "ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def run(self, target, seconds):
        """Fuzzes for so long, or until something is found. The grown corpus stays in the work folder."""
        result = Result(target)
        options = [f"-max_total_time={seconds}", "-print_final_stats=1", "-use_value_profile=1",
                   f"-artifact_prefix={self.folder(target, 'found')}/"]
        words = self.ask("words", target)
        if words:
            dictionary = self.work / target / "words"
            dictionary.write_text(words, encoding="utf-8")
            options.append(f"-dict={dictionary}")
        begun = time.monotonic()
        output = self.work / target / "output"
        with output.open("w") as log:
            process = subprocess.Popen(
                [*self.command(target, *options), self.folder(target, "corpus"), CORPUS / target],
                stdout=log, stderr=subprocess.STDOUT, env=self.environment(target))
            while process.poll() is None:
                self.tell(target, output, seconds, begun)
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    pass
        text = output.read_text(errors="replace")
        self.read_status(result, text)
        result.seconds = time.monotonic() - begun
        executed = re.search(r"stat::number_of_executed_units: (\d+)", text)
        if executed:
            result.executions = int(executed[1])
        found = FOUND.findall(text)
        if process.returncode != 0 and not found:
            result.failure = "\n".join(text.splitlines()[-15:])
        result.findings = tuple(Path(each) for each in found)
        return result

    @staticmethod
    def read_status(result, text):
        for match in STATUS.finditer(text):
            result.executions = int(match[1])
            result.coverage = int(match[2])
            result.corpus = int(match[3] or result.corpus)

    def tell(self, target, output, seconds, begun):
        now = Result(target)
        self.read_status(now, output.read_text(errors="replace"))
        now.seconds = time.monotonic() - begun
        self.say(f"{target}: {now.seconds:.0f} of {seconds} s, {now.executions} executions, "
                 f"coverage {now.coverage}, corpus {now.corpus}")

    def minimise(self, target, finding):
        """The shortest input that still fails, in the corpus."""
        best = self.folder(target, "found") / "minimised"
        best.unlink(missing_ok=True)
        subprocess.run([*self.command(target, "-minimize_crash=1", f"-max_total_time={MINIMISE_SECONDS}",
                                      f"-exact_artifact_path={best}"), finding],
                       env=self.environment(target), capture_output=True, check=False)
        smallest = best if best.exists() else finding
        kept = CORPUS / target / f"found-{digest(smallest)}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(smallest, kept)
        return kept

    def prove(self):
        """What does not find a fault that is there shall not say that there is none."""
        result = self.run(PLANTED, PLANTED_SECONDS)
        if not result.findings:
            raise SystemExit(f"the planted fault was not found in {PLANTED_SECONDS} s: {result.failure}")
        shutil.rmtree(self.work / PLANTED)

    def target(self, target):
        result = self.run(target, self.seconds)
        if result.findings:
            result.findings = tuple(self.minimise(target, each) for each in result.findings)
        self.say(f"{target}: done; {row(result)}", final=True)
        return result

    def grow(self, target):
        """Some of what the fuzzer has found out, into the tree: the fewest inputs that reach as much, of
        those the short ones, spread over their lengths."""
        with tempfile.TemporaryDirectory() as folder:
            merged = Path(folder)
            for seed in (CORPUS / target).glob("*"):
                if not seed.name.startswith("grown-"):
                    shutil.copy(seed, merged)
            before = {each.name for each in merged.iterdir()}
            subprocess.run([*self.command(target, "-merge=1"), merged, self.folder(target, "corpus"),
                            CORPUS / target],
                           env=self.environment(target), capture_output=True, check=False)
            fresh = sorted((each for each in merged.iterdir() if each.name not in before),
                           key=lambda each: (each.stat().st_size, each.name))
            fresh = [each for each in fresh if each.stat().st_size <= GROWN_BYTES_MAX]
            for old in (CORPUS / target).glob("grown-*"):
                old.unlink()
            for at in range(min(GROWN_MAX, len(fresh))):
                chosen = fresh[at * len(fresh) // min(GROWN_MAX, len(fresh))]
                shutil.copy(chosen, CORPUS / target / f"grown-{digest(chosen)}")


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def row(result):
    found = " ".join(str(each.relative_to(CORPUS)) for each in result.findings) or "none"
    return (f"{result.seconds:.0f} s, {result.per_second()}/s, coverage {result.coverage}, "
            f"corpus {result.corpus}, findings: {found}")


def table(results):
    lines = ["| target | seconds | executions/s | coverage | corpus | findings |",
             "| --- | --: | --: | --: | --: | --- |"]
    for each in results:
        found = ", ".join(file.name for file in each.findings) or "none"
        lines.append(f"| {each.target} | {each.seconds:.0f} | {each.per_second()} | {each.coverage} | "
                     f"{each.corpus} | {'FAILED TO RUN' if each.failure else found} |")
    return "\n".join(lines)


class Said:
    """One line of progress on a terminal, a line now and then elsewhere."""

    def __init__(self):
        self.lock = Lock()
        self.last = time.monotonic()

    def __call__(self, text, final=False):
        with self.lock:
            if sys.stderr.isatty():
                print(f"\r\x1b[K{text}", end="\n" if final else "", file=sys.stderr, flush=True)
            elif final or time.monotonic() - self.last > 60:
                self.last = time.monotonic()
                print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="for each target (default 10)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("--build", type=Path, default=ROOT / "build-fuzz", help="build folder")
    parser.add_argument("--pure", action="store_true",
                        help="only the targets of rooms without I/O: builds fast")
    parser.add_argument("--grow", action="store_true", help="put a few of the new inputs into the corpus")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all if none is named")
    given = parser.parse_args()

    programs = build(given.build.resolve(), given.pure)
    say = Said()
    fuzzing = Fuzzing(programs, given.build.resolve() / "fuzzing", given.minutes, say)
    unknown = [each for each in given.targets if each not in fuzzing.longest]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(fuzzing.longest)}")
    targets = given.targets or [each for each in fuzzing.longest if each != PLANTED]
    fuzzing.prove()
    with ThreadPoolExecutor(max_workers=given.jobs) as pool:
        results = list(pool.map(fuzzing.target, targets))
    if given.grow:
        for each in results:
            fuzzing.grow(each.target)
    print(table(results))
    for each in results:
        if each.failure:
            print(f"--- {each.target} did not run:\n{each.failure}")
    return 1 if any(each.findings or each.failure for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
