#!/usr/bin/env python3
"""Judges certificates in both directions with the npm package @libp2p/tls.

Usage: run.py CERTIFICATE_TOOL WORK_FOLDER. The packages are installed into WORK_FOLDER, once. Exit code 77
(skipped) if there is no node, no npm, or no registry to install from.
"""

import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77
INSTALL_SECONDS = 60


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def install(here: pathlib.Path, work: pathlib.Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    wanted = (here / "package.json").read_text()
    done = work / "installed"
    if done.exists() and done.read_text() == wanted:
        return
    (work / "package.json").write_text(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts",
               "--prefer-offline", "--loglevel=error"]
    try:
        result = subprocess.run(command, cwd=work, timeout=INSTALL_SECONDS, capture_output=True, text=True,
                                check=False)
    except subprocess.TimeoutExpired:
        skip(f"the packages could not be installed within {INSTALL_SECONDS} s")
    if result.returncode != 0:
        skip("the packages could not be installed: " + result.stderr.strip()[-300:])
    done.write_text(wanted)


def main() -> None:
    tool, work = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    here = pathlib.Path(__file__).resolve().parent
    if not shutil.which("node") or not shutil.which("npm"):
        skip("no node or no npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    if int(version.lstrip("v").split(".")[0] or 0) < 20:
        skip(f"node {version.strip()} is too old")
    install(here, work)
    shutil.copy(here / "verify.mjs", work / "verify.mjs")
    sys.exit(subprocess.run(["node", "verify.mjs", str(tool)], cwd=work, check=False).returncode)


main()
