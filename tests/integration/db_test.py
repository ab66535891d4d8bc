#!/usr/bin/env python3
"""`monodon db`: stat and backup beside a running node, check, compact and prune on a stopped one; a backup
that is put in the place of its original asks the others before it signs; another schema is told apart, and
damage is found and named."""

import json
import shutil
import subprocess
import sys

from harness import MONODON, Load, check, monodon, run, wait_until

VICTIM = "v3"
STOPPED = "follows without voting or proposing"
RESUMED = "votes and proposes again"


def db(home, *words, code=0):
    return json.loads(monodon("db", *words[:1], "--home", home, "-o", "json", *words[1:], code=code))


def said(*words):
    return subprocess.run([MONODON, "db", *words], capture_output=True, text=True, timeout=60, check=False)


def count(committee, words):
    return sum(words in line.get("msg", "") for line in committee.log(VICTIM))


def flip(file, at):
    with open(file, "r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 4]))


def test(committee):
    committee.up("--set", "consensus.min_round_delay=20ms", "--set", "storage.checkpoint_rounds=20")
    home = committee.home(VICTIM)
    genesis = home / "genesis.json"
    load = Load(committee, ["v0", "v1", VICTIM], wait="committed", threads=1)
    load.wait_for(100)

    # Beside the running node: numbers and a copy, and nothing else.
    stat = db(home, "stat")
    check(stat["round"] > 0 and stat["commit"] > 0, f"stat: {stat}")
    tables = {(each["environment"], each["table"]): each["rows"] for each in stat["tables"]}
    check(tables["consensus", "certificates"] > 0 and tables["consensus", "votes"] > 0, f"stat: {tables}")
    for word in ("check", "compact", "prune"):
        done = said(word, "--home", home)
        check(done.returncode == 73 and "in use by pid" in done.stderr, f"db {word}: {done}")
    copy = committee.root / "copy"
    made = db(home, "backup", "--to", copy)
    check(made["commit"] >= stat["commit"], f"the copy ends at {made}, stat said {stat['commit']}")
    check(not (copy / "key").exists(), "the key was copied")
    again = said("backup", "--home", home, "--to", copy)
    check(again.returncode == 1 and "exists already" in again.stderr, f"a second copy in one place: {again}")
    report = db(copy, "check", "--genesis", genesis)
    check(report["healthy"] and report["recovery"]["starts"], f"the copy: {report}")
    check("marked" in report["findings"][0]["text"], f"the mark is not named: {report['findings']}")
    load.wait_for(50)

    # Stopped: whole, smaller after compacting, and as good as before.
    committee.down(VICTIM)
    report = db(home, "check")
    check(report["healthy"] and report["fatal"] == 0, f"check of a whole home: {report}")
    check("recovery will read" in report["recovery"]["text"], f"no forecast: {report['recovery']}")
    check(report["recovery"]["checkpoint"], "the checkpoint is not found")
    table = monodon("db", "check", "--home", home)
    check("\nhealthy\n" in table and "in about" in table, f"as a table: {table}")
    before = db(home, "stat")["commit"]
    small = db(home, "compact")
    check(small["bytes_after"] < small["bytes_before"], f"compact: {small}")
    pruned = db(home, "prune", "--set", "storage.retention_commits=1000")
    check(pruned["commits_floor"] <= before, f"prune: {pruned}")
    check(db(home, "check")["healthy"], "damaged by compacting or pruning")
    committee.add(VICTIM)
    committee.wait_commit(VICTIM, before + 20)
    check(count(committee, STOPPED) == 0, "a home that was only looked after asked the others")

    # The copy in the place of the original.
    committee.kill(VICTIM)
    for store in ("consensus", "batches", "state", "checkpoints"):
        shutil.rmtree(home / store)
    for store in ("consensus", "batches", "state"):
        shutil.copytree(copy / store, home / store)
    shutil.copy(copy / "rejoin", home / "rejoin")
    committee.add(VICTIM)
    wait_until("the copy to ask", lambda: count(committee, STOPPED) == 1)
    wait_until("the others to have answered", lambda: count(committee, RESUMED) == 1)
    committee.put(VICTIM, "back", "again", "executed")
    load.stop()
    committee.wait_caught_up()
    for name in committee.names:
        check(committee.status(name)["equivocations"] == 0, f"{name} saw an equivocation")
    load.check_present(committee.names)

    # A schema of the future: what its rows mean is not known, so nothing is said of them, or done to them.
    committee.down(VICTIM)
    subprocess.run([sys.argv[3], home, "99"], timeout=60, check=True)
    report = db(home, "check", code=65)
    check(not report["healthy"] and not report["recovery"]["starts"], f"schema 99: {report}")
    bytes_before = (home / "consensus" / "data.mdb").read_bytes()
    refused = [("db", "compact", "--home", home), ("db", "stat", "--home", home),
               ("db", "backup", "--home", home, "--to", committee.root / "future"),
               ("config", "check", "--home", home), ("run", "--home", home)]
    for words in refused:
        done = subprocess.run([MONODON, *words], capture_output=True, text=True, timeout=60, check=False)
        check(done.returncode == 78 and "schema version 99" in done.stderr, f"{words[:2]}: {done}")
    check((home / "consensus" / "data.mdb").read_bytes() == bytes_before, "a refused command wrote")
    check(not (committee.root / "future").exists(), "a refused backup left something")
    # Of the one before: a start brings it to this one.
    subprocess.run([sys.argv[3], home, "2"], timeout=60, check=True)
    report = db(home, "check")
    check(report["healthy"] and "from schema 2" in report["recovery"]["text"], f"schema 2: {report}")
    monodon("config", "check", "--home", home)
    committee.add(VICTIM)
    committee.down(VICTIM)
    report = db(home, "check")
    check(report["healthy"] and "recovery will read" in report["recovery"]["text"], f"brought: {report}")

    # Single bits, 200 of them; `flips HOME 2000 7` by hand goes on for longer.
    flips = subprocess.run([sys.argv[2], home, "200", "4711"], capture_output=True, text=True, timeout=200,
                           check=False)
    print(flips.stdout, end="")
    check(flips.returncode == 0, f"{flips.stdout}{flips.stderr}")
    # Bits all over what is alive.
    sizes = db(home, "check")["environments"]
    live = next(each["live_bytes"] for each in sizes if each["environment"] == "consensus")
    for at in range(2 * 4096, live, 512):
        flip(home / "consensus" / "data.mdb", at)
    report = db(home, "check", code=65)
    check(not report["healthy"] and report["findings"], f"damage in {live} live bytes: {report}")
    done = said("check", "--home", home, "-o", "plain")
    check(done.returncode == 65 and done.stdout.splitlines()[-1].startswith("damaged\t"), f"plain: {done}")


sys.exit(run(test))
