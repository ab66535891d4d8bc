#!/usr/bin/env python3
"""What ./tools/demo does once everything that a build needs is there. Python's standard library only.

Reads the keys back over the public API with a client of its own and compares with dpkg-query itself, so
that no part of Monodon vouches for another.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
MONODON = BUILD / "tools" / "monodon"
LOAD_PATIENCE = 60


class Stop(Exception):
    """Something is not as it should be; the message says what."""


def heading(text):
    bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\n\033[1m{text}\033[0m" if bold else f"\n== {text}", flush=True)


def monodon(*words, capture=False):
    """Runs the command, its output where ours goes; the text if it is captured."""
    sys.stdout.flush()
    done = subprocess.run(
        [str(MONODON), *map(str, words)], stdout=subprocess.PIPE if capture else None, text=True, check=False
    )
    if done.returncode != 0:
        raise Stop(f"monodon {' '.join(map(str, words))}: exit code {done.returncode}")
    return done.stdout


# ---- building


def distribution(name):
    """Debian's own program where there is one: another Python's Meson does not see its modules."""
    path = Path("/usr/bin") / name
    return str(path) if path.exists() else name


def run_quietly(words, log):
    with open(log, "ab") as out:
        if subprocess.run(words, cwd=ROOT, stdout=out, stderr=out, check=False).returncode != 0:
            tail = Path(log).read_text(errors="replace").splitlines()[-30:]
            raise Stop(f"{' '.join(map(str, words))} failed:\n  " + "\n  ".join(tail))


def compile_with_progress(log):
    """Ninja's steps as one line that is redrawn on a terminal, else as a line now and then."""
    terminal = sys.stderr.isatty()
    last = time.monotonic()
    failed_lines = []
    process = subprocess.Popen(
        [distribution("ninja"), "-C", str(BUILD), "tools/monodon"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "NINJA_STATUS": "%f/%t "},
    )
    with open(log, "a", encoding="utf-8") as out:
        for line in process.stdout:
            out.write(line)
            failed_lines = [*failed_lines[-29:], line.rstrip()]
            step = line.split(" ", 1)[0]
            done, _, total = step.partition("/")
            if not (done.isdigit() and total.isdigit()):
                continue
            if terminal:
                bar = "=" * int(30 * int(done) / max(1, int(total)))
                line = f"\r\033[Kbuilding  [{bar:<30}]  {done} of {total}"
                print(line, end="", file=sys.stderr, flush=True)
            elif time.monotonic() - last > 15:
                last = time.monotonic()
                print(f"building  {done} of {total}", file=sys.stderr, flush=True)
    if terminal:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if process.wait() != 0:
        raise Stop("the build failed:\n  " + "\n  ".join(failed_lines))


def build():
    begin = time.monotonic()
    BUILD.mkdir(exist_ok=True)
    log = BUILD / "demo-build.log"
    log.write_text("")
    if not (BUILD / "build.ninja").exists():
        print("configuring the build", flush=True)
        run_quietly([distribution("meson"), "setup", str(BUILD), str(ROOT)], log)
    compile_with_progress(log)
    print(f"built {MONODON.relative_to(ROOT)} in {time.monotonic() - begin:.0f} s")


# ---- the data


def installed_packages():
    """Name with architecture -> version, as the package database has it."""
    if shutil.which("dpkg-query") is None:
        raise Stop("this machine has no dpkg-query: the demo loads the package database of Debian")
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}:${Architecture}=${Version}\\n"],
        capture_output=True, text=True, check=True,
    ).stdout
    packages = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    # Removed packages whose configuration is left have no version.
    packages = {name: version for name, version in packages.items() if version}
    if not packages:
        raise Stop("dpkg-query lists no packages")
    return packages


def write_operations(packages, file):
    with open(file, "w", encoding="utf-8") as out:
        for name, version in packages.items():
            out.write(json.dumps({"op": "put", "key": name, "value": version}) + "\n")


# ---- comparing


class Member:
    def __init__(self, directory, entry):
        self.name = entry["name"]
        self.socket = directory / self.name / "admin.sock"
        host, port = entry["api"].rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def get(self, target):
        self.connection.request("GET", target)
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def status(self):
        status, body = self.get("/v1/status")
        if status != 200:
            raise Stop(f"{self.name} answers its status with {status}")
        return json.loads(body)

    def differences(self, packages):
        """Keys whose value is not that of the package database, with what is there instead."""
        found = []
        for key, version in packages.items():
            status, body = self.get("/v1/kv/" + urllib.parse.quote(key, safe=""))
            value = body.decode(errors="replace") if status == 200 else None
            if value != version:
                found.append((key, version, value if status in (200, 404) else f"status {status}"))
        return found


def wait_executed(members, commit):
    deadline = time.monotonic() + LOAD_PATIENCE
    while any(member.status()["executed"] < commit for member in members):
        if time.monotonic() > deadline:
            raise Stop(f"not every node has executed commit {commit} after {LOAD_PATIENCE} s")
        time.sleep(0.05)


def compare(members, packages):
    wait_executed(members, max(member.status()["commit"] for member in members))
    begin = time.monotonic()
    with ThreadPoolExecutor(len(members)) as pool:
        found = list(pool.map(lambda member: member.differences(packages), members))
    seconds = time.monotonic() - begin
    for member, differences in zip(members, found):
        equal = len(packages) - len(differences)
        print(f"{member.name}  {equal} of {len(packages)} keys equal to dpkg-query")
        for key, version, value in differences[:3]:
            print(f"    {key}: dpkg-query says {version}, {member.name} says {value}")
    print(f"read {len(members) * len(packages)} values in {seconds:.1f} s")
    if any(found):
        raise Stop("not all keys are equal")


# ---- the whole


def show_places(directory, members):
    heading("Where it is")
    for member in members:
        print(f"{member.name}  http://{member.connection.host}:{member.connection.port}/v1/status"
              f"  socket {member.socket}")
    print(f"try: curl -s --unix-socket {members[0].socket} http://x/v1/status")
    print(f"     {os.path.relpath(MONODON)} status --all --watch --dir {directory}")
    print(f"     {os.path.relpath(MONODON)} dag --follow --dir {directory}")


def wait_for_interrupt(directory):
    print(f"\nThe committee goes on until Ctrl-C. Its files are in {directory}.", flush=True)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        print()


def demo(options, directory):
    packages = installed_packages()
    build()
    heading(f"A committee of {options.validators}")
    monodon("testnet", "up", "-n", options.validators, "--dir", directory)
    description = json.loads((directory / "testnet.json").read_text())
    members = [Member(directory, node) for node in description["nodes"]]

    heading(f"{len(packages)} packages of this machine, through all nodes")
    operations = directory / "packages.jsonl"
    write_operations(packages, operations)
    monodon("tx", "load", operations, "--dir", directory)

    heading("Every key from every node")
    compare(members, packages)

    heading("A load")
    load = ("--rate", options.rate, "--size", 512, "--duration", "10s")
    monodon("tx", "bench", *load, "--limits", "--dir", directory)

    heading("All nodes")
    monodon("status", "--all", "--dir", directory)
    heading("Commit chains, pair by pair")
    monodon("verify", "--all", "--dir", directory)
    if not options.once:
        show_places(directory, members)
        wait_for_interrupt(directory)


def parse():
    parser = argparse.ArgumentParser(
        prog="tools/demo",
        description="Builds Monodon, starts a committee here, loads the package database of this machine "
        "through all nodes, reads every key back from each, measures a load, and compares the chains.",
        epilog="Example: ./tools/demo --once",
    )
    add = parser.add_argument
    add("--once", action="store_true", help="stop everything at the end; the exit code tells")
    add("--dir", type=Path, help="directory of the committee, kept and used again (a new one, removed)")
    add("-n", dest="validators", type=int, default=4, metavar="N", help="validators (4)")
    add("--rate", type=int, default=15000, metavar="N", help="transactions a second to offer (15000)")
    return parser.parse_args()


def main():
    options = parse()
    directory = options.dir.resolve() if options.dir else Path(tempfile.mkdtemp(prefix="monodon-demo-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    code = 1
    try:
        demo(options, directory)
        code = 0
    except Stop as stop:
        print(f"\ndemo: {stop}", file=sys.stderr)
    except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
        print(f"\ndemo: {error!r}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
    finally:
        # A second Ctrl-C must not leave nodes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if (directory / "testnet.json").exists():
            heading("Stopping")
            down = subprocess.run([str(MONODON), "testnet", "down", "--dir", str(directory)], check=False)
            code = code or down.returncode
        if not options.dir:
            shutil.rmtree(directory, ignore_errors=True)
    if options.once:
        print("\nall committed, all equal" if code == 0 else "\nFAILED", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
