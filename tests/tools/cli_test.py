#!/usr/bin/env python3
"""The monodon command as a script sees it: help, exit codes, configuration, replay.

Usage: cli_test.py MONODON
"""

import base64
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

MONODON = os.path.abspath(sys.argv.pop(1))


def monodon(*words, stdin="", **variables):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MONODON_")}
    environment.update(variables)
    return subprocess.run(
        [MONODON, *map(str, words)], input=stdin, capture_output=True, text=True, env=environment, timeout=60,
        check=False,
    )


def subcommands(help_text):
    match = re.search(r"^Subcommands:\n((?:  .*\n)+)", help_text, re.MULTILINE)
    return re.findall(r"^  ([a-z]+)\b", match[1], re.MULTILINE) if match else []


def every_command(words=()):
    """The words of each command, groups included."""
    done = monodon(*words, "--help")
    yield words, done
    for name in subcommands(done.stdout):
        yield from every_command((*words, name))


class Help(unittest.TestCase):
    def test_every_command_explains_itself_with_an_example(self):
        seen = set()
        for words, done in every_command():
            with self.subTest(command=" ".join(words)):
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stderr, "")
                self.assertIn("Example:", done.stdout)
                self.assertIn("monodon", done.stdout.split("Example:")[1])
                # How an option stores what it was given is nobody's business.
                self.assertNotIn("->", done.stdout)
                self.assertNotIn("e+", done.stdout)
                if "--output" in done.stdout:
                    self.assertRegex(done.stdout, r"--output table\|json\|plain\s")
            seen.add(" ".join(words))
        wanted = {"init", "run", "status", "peers", "dag", "verify", "replay", "version", "commits get",
                  "commits tail", "config show", "config diff", "config check"}
        wanted |= {f"testnet {name}" for name in ("up", "down", "status", "logs", "kill", "pause", "add",
                                                  "partition", "heal")}
        wanted |= {f"db {name}" for name in ("stat", "check", "backup", "compact", "prune")}
        wanted |= {f"tx {name}" for name in ("submit", "get", "load", "bench")}
        self.assertEqual(wanted - seen, set())

    def test_exit_codes_are_listed(self):
        text = monodon("--help").stdout
        for code in ("65", "73", "78"):
            self.assertIn(code, text)


class ExitCodes(unittest.TestCase):
    def check(self, code, *words, says="", **variables):
        done = monodon(*words, **variables)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn(says, done.stderr)

    def test_usage_is_2(self):
        self.check(2)
        self.check(2, "frobnicate", says="there is no command frobnicate")
        self.check(2, "stauts", "--dir", ".", says="there is no command stauts; did you mean status?")
        self.check(2, "tx", "sumbit", says="there is no command tx sumbit; did you mean tx submit?")
        self.check(2, "run", "--home", "v", "--listen-fd", "-1", says="-1 is no file descriptor\n")
        self.check(2, "commits", "get", "--from", "-1", says="-1 is no index of a commit: the first is 1")
        self.check(2, "commits", "tail", "--from", "0", says="0 is no index of a commit: the first is 1")
        self.check(2, "status", "--frobnicate")
        self.check(2, "status", "--wait", "soon", "--dir", ".", says="round=N")
        self.check(2, "dag", "--rounds", "0")
        self.check(2, "status", "-o", "xml", says="xml is none of table|json|plain\n")
        self.check(2, "tx", "submit", "-", "--wait", "soon", says="soon is none of accepted|durable|")
        self.check(2, "tx", "submit", says="what?")
        self.check(2, "tx", "bench", "--duration", "long")
        for words in (("tx", "load", "."), ("tx", "submit", "."), ("replay", "."),
                      ("simulate", "--faults", "."), ("simulate", "--draw", ".")):
            self.check(2, *words, says=". is a directory" if words[0] == "replay" else "cannot read .")
        with tempfile.TemporaryDirectory() as folder:
            self.check(2, "status", MONODON_DIR=f"{folder}/none", says="--home")
            self.check(2, "verify", "one", "--dir", folder)

    def test_nobody_there_is_3(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(monodon("init", "--home", f"{folder}/v").returncode, 0)
            self.check(3, "status", "--home", f"{folder}/v", says="admin.sock")
            self.check(3, "peers", "--home", f"{folder}/v")
            self.check(3, "tx", "submit", "--op", "get", "k", "--home", f"{folder}/v")

    def test_waiting_in_vain_is_5(self):
        with tempfile.TemporaryDirectory() as folder:
            monodon("init", "--home", f"{folder}/v")
            self.check(5, "status", "--home", f"{folder}/v", "--wait", "ready", "--timeout", "200ms")

    def test_a_wrong_configuration_is_78(self):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "v"
            monodon("init", "--home", home)
            self.check(78, "config", "check", "--set", "worker.batch_byts=1", says="batch_bytes")
            self.check(78, "config", "check", "--home", home, says="genesis.json")
            self.check(78, "config", "check", MONODON_HOME=str(home), says="genesis.json")
            (home / "genesis.json").write_text("{")
            self.check(78, "config", "check", "--home", home, says="not JSON")
            self.check(78, "config", "check", "--home", f"{folder}/none", says="monodon init")
            self.check(78, "config", "check", "--set", "storage.disk_low=1MiB", says="storage.disk_critical")
            self.check(78, "status", "--home", f"{folder}/none", says="monodon init")
            self.check(78, "run", "--home", home, "--set", "net.clients=many", says="net.clients")
            self.check(78, "run", "--home", f"{folder}/none", says="monodon init")
            (home / "config.toml").write_text("[worker]\nbatch_delay = 5\n")
            self.check(78, "config", "show", "--home", home, says="config.toml:2")
            self.check(78, "testnet", "up", "--dir", folder, "--set", "log.level=loud", says="log.level")

    def test_a_home_without_a_store_is_told_apart_from_a_new_one(self):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "v"
            self.check(78, "db", "check", "--home", home, says="cannot use home")
            monodon("init", "--home", home)
            self.check(78, "db", "check", "--home", home, says="genesis.json")
            self.check(78, "db", "backup", "--home", home, "--to", f"{folder}/copy", says="genesis.json")
            self.check(1, "db", "compact", "--home", home, says="no store")
            self.check(2, "db", "backup", "--home", home)

    def test_what_is_no_testnet_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            self.check(1, "testnet", "down", "--dir", folder, says="testnet up")
            self.check(1, "testnet", "add", "v0", "--dir", folder, says="testnet up")


class Output(unittest.TestCase):
    COMMANDS = (("version",), ("version", "-o", "json"), ("config", "show"), ("--help",))

    def test_what_cannot_be_written_is_a_failure(self):
        for words in self.COMMANDS:
            with self.subTest(command=words), open("/dev/full", "w") as full:
                done = subprocess.run([MONODON, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=60, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output: No space left", done.stderr)

    def test_a_reader_that_is_gone_ends_a_command_quietly(self):
        for words in self.COMMANDS:
            with self.subTest(command=words):
                reader, writer = os.pipe()
                os.close(reader)
                # A parent in Python has SIGPIPE ignored, and so the command sees the error of the write.
                done = subprocess.run([MONODON, *words], stdout=writer, stderr=subprocess.PIPE, text=True,
                                      timeout=60, check=False, restore_signals=False)
                os.close(writer)
                self.assertEqual((done.returncode, done.stderr), (1, ""))


    def test_colours_are_for_terminals_and_not_against_the_readers_will(self):
        for no_colour, coloured in (("", True), ("1", False)):
            reader, writer = pty.openpty()
            environment = {**os.environ, "NO_COLOR": no_colour}
            subprocess.run([MONODON, "config", "diff", "--set", "log.level=debug"], stdout=writer, timeout=60,
                           check=True, env=environment)
            os.close(writer)
            shown = os.read(reader, 1 << 16)
            os.close(reader)
            self.assertIn(b"log.", shown)
            self.assertEqual(b"\033[" in shown, coloured)


class Configuration(unittest.TestCase):
    def rows(self, *words, **variables):
        done = monodon("config", "show", "--origin", "-o", "json", *words, **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {row["key"]: row for row in json.loads(done.stdout)}

    def test_flag_beats_environment_beats_file_beats_default(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "config.toml"
            file.write_text('[log]\nlevel = "warn"\n[worker]\nbatch_delay = "7ms"\n[net]\nclients = 5\n')
            rows = self.rows(
                "--file", file, "--set", "log.level=error",
                MONODON_LOG_LEVEL="debug", MONODON_NET_CLIENTS="9",
            )
            self.assertEqual((rows["log.level"]["value"], rows["log.level"]["origin"]), ('"error"', "--set"))
            self.assertEqual(rows["net.clients"]["value"], "9")
            self.assertEqual(rows["net.clients"]["origin"], "MONODON_NET_CLIENTS")
            self.assertEqual(rows["worker.batch_delay"]["value"], '"7ms"')
            self.assertTrue(rows["worker.batch_delay"]["origin"].endswith("config.toml:4"))
            self.assertEqual(rows["worker.batch_bytes"]["origin"], "default")

    def test_diff_has_what_is_not_the_default_wherever_it_came_from(self):
        self.assertEqual(json.loads(monodon("config", "diff", "-o", "json").stdout), [])
        done = monodon("config", "diff", "-o", "json", "--set", "net.clients=5", MONODON_LOG_LEVEL="info")
        (row,) = json.loads(done.stdout)
        self.assertEqual((row["key"], row["value"], row["origin"]), ("net.clients", "5", "--set"))
        self.assertEqual(row["default"], self.rows()["net.clients"]["value"])
        done = monodon("config", "diff", "--set", "net.clients=5", "--origin")
        self.assertRegex(done.stdout, r"(?m)^KEY +VALUE +DEFAULT +ORIGIN\nnet\.clients +5 +\d+ +--set$")

    def test_the_table_names_the_origin_of_each_value(self):
        done = monodon("config", "show", "--origin")
        self.assertRegex(done.stdout, r"(?m)^KEY +VALUE +ORIGIN$")
        self.assertRegex(done.stdout, r"(?m)^log\.level +\"info\" +default$")
        self.assertNotIn("\033", done.stdout)


class Homes(unittest.TestCase):
    def test_init_makes_a_home_once(self):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "v"
            first = json.loads(monodon("init", "--home", home, "-o", "json").stdout)
            self.assertTrue(first["made_key"] and first["made_config"])
            self.assertEqual((home / "key").stat().st_mode & 0o777, 0o600)
            second = json.loads(monodon("init", "--home", home, "-o", "json").stdout)
            self.assertFalse(second["made_key"] or second["made_config"])
            self.assertEqual(first["peer_id"], second["peer_id"])
            self.assertIn("#", (home / "config.toml").read_text())


class OneNode(unittest.TestCase):
    """A committee of one, to which each test gives and takes what it needs."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="monodon-cli-")
        cls.net = Path(cls.folder.name) / "net"
        cls.home = cls.net / "v0"

    @classmethod
    def tearDownClass(cls):
        monodon("testnet", "down", "--dir", cls.net)
        cls.folder.cleanup()

    def setUp(self):
        done = monodon("testnet", "up", "-n", 1, "--dir", self.net, "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.pid = json.loads(done.stdout)["nodes"][0]["pid"]

    def stop(self):
        self.assertEqual(monodon("testnet", "down", "--dir", self.net).returncode, 0)

    def copy(self):
        """The home of the stopped node as it is, for a test that breaks something."""
        copy = Path(tempfile.mkdtemp(dir=self.folder.name)) / "home"
        shutil.copytree(self.home, copy, ignore=shutil.ignore_patterns("admin.sock", "node.*"))
        return copy

    def status(self):
        done = monodon("status", "--dir", self.net, "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_signals_that_mean_nothing_do_nothing_and_sighup_is_a_clean_end(self):
        for name in ("USR1", "USR2"):
            os.kill(self.pid, getattr(signal, f"SIG{name}"))
        self.assertEqual(self.status()["pid"], self.pid)
        done = monodon("testnet", "kill", "v0", "--signal", "HUP", "--dir", self.net)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("ended", done.stdout)
        log = [json.loads(line) for line in (self.home / "node.log").read_text().splitlines()]
        self.assertIn("SIGHUP", [line.get("signal") for line in log])
        self.assertEqual(log[-1]["msg"], "stopped")

    def test_a_node_that_could_not_start_says_only_why(self):
        self.stop()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = monodon("run", "--home", self.copy(), "--set", f"net.listen=127.0.0.1:{port}")
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("cannot start", done.stderr)
        self.assertNotIn("stopp", done.stderr)


    def test_check_says_what_it_has_looked_at_and_finds_a_store_that_is_gone(self):
        self.stop()
        done = monodon("config", "check", "--home", self.home)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("store of", done.stdout)
        copy = self.copy()
        shutil.rmtree(copy / "consensus")
        done = monodon("config", "check", "--home", copy)
        self.assertEqual((done.returncode, done.stdout), (65, ""))
        self.assertIn("--rejoin", done.stderr)
        self.assertEqual(monodon("run", "--home", copy).returncode, 65)
        self.assertIn("configuration", monodon("config", "check").stdout)

    def test_what_follows_without_end_ends_with_its_reader(self):
        for words in (("commits", "tail"), ("dag", "--follow"), ("status", "--watch"),
                      ("testnet", "logs", "v0", "--follow", "-n", "1")):
            with self.subTest(command=words), open("/dev/full", "w") as full:
                done = subprocess.run([MONODON, *words, "--dir", self.net], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=30, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("standard output", done.stderr)

    def ask(self, *words, code=0):
        done = monodon(*words, "--dir", self.net, "-o", "json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def test_a_load_counts_what_was_committed_and_what_no_node_would_take(self):
        put = '{"op":"put","key":"%s","value":"%s"}\n'
        lines = put % ("a", "1") + put % ("b", "2") + '{"op":"raw","hex":"00ff"}\n'
        file = Path(self.folder.name) / "operations.jsonl"
        file.write_text(lines)
        before = self.status()["transactions"]
        loaded = self.ask("tx", "load", file)
        wanted = {"operations": 3, "nodes": 1, "accepted": 3, "duplicates": 0, "stage": "committed",
                  "done": 3, "failed": 0}
        self.assertEqual({key: loaded[key] for key in wanted}, wanted)
        self.assertGreaterEqual(self.status()["transactions"], before + 3)
        file.write_text(lines + put % ("c", "3" * 300_000))
        loaded = self.ask("tx", "load", file, code=1)
        self.assertEqual((loaded["operations"], loaded["done"], loaded["failed"]), (4, 3, 1))
        table = monodon("tx", "load", file, "--dir", self.net)
        self.assertRegex(table.stdout, r"^OPERATIONS +NODES +ACCEPTED +DUPLICATES +COMMITTED +FAILED ")
        self.assertIn("1 of 4 operations failed", table.stderr)

    def test_commits_are_those_of_the_api(self):
        self.assertEqual(monodon("status", "--wait", "commit=3", "--dir", self.net).returncode, 0)
        address = json.loads((self.net / "testnet.json").read_text())["nodes"][0]["api"]
        with urllib.request.urlopen(f"http://{address}/v1/commits?from=1&limit=3", timeout=20) as answer:
            served = [json.loads(line) for line in answer.read().splitlines()]
        self.assertEqual([commit["index"] for commit in served], [1, 2, 3])
        words = ("--from", "1", "--dir", self.net, "-o", "json")
        done = monodon("commits", "get", "--count", "3", *words)
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], served)
        self.assertEqual(self.first_lines(3, "commits", "tail", *words), served)
        table = monodon("commits", "get", "--from", "2", "--count", "1", "--dir", self.net).stdout
        self.assertRegex(table, r"^ +COMMIT +ROUND .*\n +2 .* " + served[1]["digest"][:16] + r"\n$")

    def first_lines(self, count, *words):
        """Of a command without end, which ends when nobody reads any more."""
        with subprocess.Popen([MONODON, *map(str, words)], stdout=subprocess.PIPE, text=True) as follower:
            lines = [json.loads(follower.stdout.readline()) for _ in range(count)]
            follower.terminate()
        return lines

    def test_the_dag_has_a_row_for_each_round(self):
        self.assertEqual(monodon("status", "--wait", "round=5", "--dir", self.net).returncode, 0)
        lines = monodon("dag", "--rounds", "4", "--dir", self.net).stdout.splitlines()
        self.assertRegex(lines[1], r"^ +ROUND  v0 *$")
        rounds = [int(line.split()[0]) for line in lines[2:]]
        self.assertEqual(rounds, list(range(rounds[0], rounds[0] + 4)))
        self.assertRegex(lines[2], r"^ +\d+  [A*o][0-9a-f]{6} 0$")

    def test_status_waits_watches_and_tells_a_node_that_is_not_ready(self):
        waited = self.ask("status", "--wait", "commit=1")
        self.assertGreaterEqual(waited["commit"], 1)
        watched = self.first_lines(2, "status", "--watch", "--dir", self.net, "-o", "json")
        self.assertEqual([each["pid"] for each in watched], [self.pid, self.pid])
        lone = self.lone_member()
        done = monodon("status", "--dir", lone, "-o", "json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["ready"]), (4, False))

    def lone_member(self):
        """One of two members of another committee, which can commit nothing without the other."""
        lone = Path(tempfile.mkdtemp(dir=self.folder.name)) / "lone"
        done = monodon("testnet", "up", "-n", 2, "--without", "v1", "--no-wait", "--dir", lone)
        self.addCleanup(monodon, "testnet", "down", "--dir", lone)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(monodon("status", "--wait", "round=0", "--dir", lone).returncode, 0)
        return lone

    def test_verify_finds_where_two_chains_part_and_that_there_is_nothing_to_compare(self):
        other = Path(self.folder.name) / "other"
        done = monodon("testnet", "up", "-n", 1, "--dir", other)
        self.addCleanup(monodon, "testnet", "down", "--dir", other)
        self.assertEqual(done.returncode, 0, done.stderr)
        for net in (self.net, other):
            self.assertEqual(monodon("status", "--wait", "commit=3", "--dir", net).returncode, 0)
        (pair,) = self.ask("verify", self.home, other / "v0", code=1)
        self.assertEqual((pair["result"], pair["index"]), ("parted", 1))
        self.assertNotEqual(pair["digest_a"], pair["digest_b"])
        table = monodon("verify", self.home, other / "v0")
        self.assertEqual(table.returncode, 1)
        self.assertRegex(table.stdout, r"DIFFER from +1 ")
        (pair,) = self.ask("verify", self.home, self.lone_member() / "v0", code=4)
        self.assertEqual(pair["result"], "nothing to compare")
        (pair,) = self.ask("verify", self.home, self.home)
        self.assertEqual(pair["result"], "equal")

    def test_signals_and_partitions_are_told_in_each_form(self):
        for words, result in ((("pause", "v0"), "paused"), (("pause", "v0", "--resume"), "resumed")):
            self.assertEqual(self.ask("testnet", *words), [{"name": "v0", "result": result, "pid": self.pid}])
        self.assertEqual(self.ask("testnet", "partition", "v0"), [["v0"]])
        self.assertEqual(self.ask("testnet", "heal"), [["v0"]])
        done = monodon("testnet", "kill", "v0", "--dir", self.net, "-o", "plain")
        self.assertEqual((done.returncode, done.stdout), (0, "v0\tended\n"))

    def test_logs_are_the_end_of_the_file(self):
        shown = monodon("testnet", "logs", "v0", "-n", "3", "--dir", self.net).stdout
        self.assertEqual(shown.count("\n"), 3)
        self.assertIn(shown, (self.home / "node.log").read_text())

    def test_a_start_says_what_it_recovered_in_the_log_and_the_journal(self):
        self.assertEqual(monodon("status", "--wait", "commit=3", "--dir", self.net).returncode, 0)
        self.stop()
        self.setUp()
        self.stop()
        lines = [json.loads(line) for line in (self.home / "node.log").read_text().splitlines()]
        said = [line for line in lines if line["msg"] == "recovered from the store"][-1]
        self.assertEqual((said["strategy"], said["checkpoint"]), ("from_scratch", "none"))
        self.assertGreaterEqual(int(said["commit"]), 3)
        journal = json.loads(monodon("db", "stat", "--home", self.home, "-o", "json").stdout)["journal"]
        text = next(entry["text"] for entry in journal if entry["kind"] == "recovery")
        self.assertIn(f"recovered from_scratch (hybrid): {said['certificates']} certificates ", text)

    def test_a_damaged_state_may_be_removed_since_it_follows_from_the_commits(self):
        words = ("tx", "submit", "--op", "put", "colour", "blue", "--wait", "executed", "--dir", self.net)
        self.assertEqual(monodon(*words).returncode, 0)
        self.stop()
        with open(self.home / "state" / "data.mdb", "r+b") as file:
            file.write(b"\xaa" * 4096)
        done = monodon("run", "--home", self.home)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn("move", done.stderr)
        self.assertIn(str(self.home / "state"), done.stderr)
        shutil.rmtree(self.home / "state")
        self.setUp()
        done = monodon("tx", "submit", "--op", "get", "colour", "--wait", "executed", "--dir", self.net, "-o",
                       "json")
        self.assertEqual(base64.b64decode(json.loads(done.stdout)["value"]), b"blue", done.stderr)


class Replay(unittest.TestCase):
    def test_a_file_that_breaks_a_rule_is_refused_with_2(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"stakes":[1,1,1,1],"certificates":[{"round":2,"author":0,"parents":[0,1,2]}]}')
            file.flush()
            done = monodon("replay", file.name)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertNotEqual(done.stderr, "")
        self.assertEqual(monodon("replay", "/nonexistent").returncode, 2)

    def test_a_dag_is_ordered(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"stakes":[1,1,1,1],"certificates":[]}')
            file.flush()
            done = monodon("replay", file.name)
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"commits": []}), done.stderr)


class Version(unittest.TestCase):
    def test_it_is_one_line_in_each_form(self):
        self.assertRegex(monodon("version").stdout, r"^monodon \d+\.\d+\.\d+ .*\n$")
        self.assertRegex(monodon("version", "-o", "plain").stdout, r"^\d+\.\d+\.\d+\n$")
        self.assertEqual(json.loads(monodon("version", "-o", "json").stdout)["name"], "monodon")


if __name__ == "__main__":
    unittest.main()
