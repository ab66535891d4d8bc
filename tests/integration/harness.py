"""A local committee of real processes, driven by the monodon command and asked over its sockets.

Each test is a script with one function that takes a Committee and raises when something is wrong;
run() below calls it. A failure prints the ends of the nodes' logs. Nothing here waits for time:
wait_until() asks for a condition, with patience for a machine under load.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MONODON = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "monodon"
PATIENCE = 60
READY = 120
LOG_TAIL = 25
# Requests on a connection before their answers are read.
AT_ONCE = 64


class Wrong(Exception):
    """What a test found; the message is for whoever reads the test's output."""


def check(condition, message):
    if not condition:
        raise Wrong(message)


def wait_until(what, condition, seconds=PATIENCE):
    """The first true value of condition(); it may also raise OSError while a node is away."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, http.client.HTTPException) as error:
            last = error
        if time.monotonic() > deadline:
            raise Wrong(f"waited {seconds} s for {what}; last seen: {last!r}")
        time.sleep(0.02)


def monodon(*words, code=0, timeout=120):
    """Runs the command; its standard output."""
    done = subprocess.run(
        [MONODON, *map(str, words)], capture_output=True, text=True, timeout=timeout, check=False,
        env={key: value for key, value in os.environ.items() if not key.startswith("MONODON_")},
    )
    said = f"monodon {' '.join(map(str, words))}: exit code {done.returncode}, not {code}"
    check(done.returncode == code, f"{said}\n{done.stdout}{done.stderr}")
    return done.stdout


def put_bytes(key, value):
    """A put as a transaction of the key-value store: prefix, 1, a nonce that makes each call another
    operation, then key and value with 32-bit lengths."""
    key, value = key.encode(), value.encode()
    lengths = [struct.pack("<I", len(part)) for part in (key, value)]
    return b"mkv1\x01" + os.urandom(16) + lengths[0] + key + lengths[1] + value


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(connection, method, target, body=None):
    """(status, headers, body) of one request on a connection of its own or kept by the caller."""
    connection.request(method, target, body=body)
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read()


def read_answer(stream):
    """(status, body) of the next answer in a stream of them."""
    first = stream.readline().split()
    if len(first) < 2:
        raise http.client.BadStatusLine("the connection was closed")
    length = 0
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return int(first[1]), stream.read(length)


class Committee:
    def __init__(self, validators=4):
        self.size = validators
        self.root = Path(tempfile.mkdtemp(prefix="monodon-it-"))
        self.dir = self.root / "net"
        self.names = [f"v{index}" for index in range(validators)]
        self.started = []  # processes that a test runs itself

    # ---- processes

    def up(self, *words):
        """Starts what does not run, and waits until it is ready."""
        all_words = ["-n", self.size, "--dir", self.dir, "--timeout", f"{READY}s", "-o", "json", *words]
        return json.loads(monodon("testnet", "up", *all_words, timeout=READY + 30))

    def add(self, *names):
        monodon("testnet", "add", *names, "--dir", self.dir, "--timeout", f"{READY}s", timeout=READY + 30)

    def kill(self, *names):
        monodon("testnet", "kill", *names, "--dir", self.dir)

    def down(self, *names):
        return json.loads(monodon("testnet", "down", *names, "--dir", self.dir, "-o", "json"))

    def start(self, name, *words, log=None, variables=None):
        """Runs a node as a child of this test, at the addresses it always has. `log` is a file; else that of
        the home. `variables` are added to the environment."""
        member = next(node for node in self.description()["nodes"] if node["name"] == name)
        output = open(log or self.home(name) / "node.log", "ab")
        process = subprocess.Popen(
            [MONODON, "run", "--home", self.home(name), "--set", f"net.listen={member['peer']}",
             "--set", f"api.listen={member['api']}", *map(str, words)],
            stdout=output, stderr=output, start_new_session=True, env={**os.environ, **(variables or {})},
        )
        output.close()
        self.started.append(process)
        return process

    def home(self, name):
        return self.dir / name

    def description(self):
        return json.loads((self.dir / "testnet.json").read_text())

    def address(self, name, kind="api"):
        return next(node for node in self.description()["nodes"] if node["name"] == name)[kind]

    # ---- asking

    def admin(self, name, target, method="GET", body=None):
        connection = UnixConnection(self.home(name) / "admin.sock", timeout=10)
        try:
            status, _, answer = request(connection, method, target, body)
        finally:
            connection.close()
        check(status == 200, f"{name} answered {target} with {status}: {answer[:300]!r}")
        return json.loads(answer)

    def status(self, name):
        return self.admin(name, "/v1/status")

    def used_bytes(self, name):
        """Bytes in use in all environments of the store; the files grow ahead of that, in steps."""
        return sum(each["used_bytes"] for each in self.admin(name, "/v1/store")["environments"])

    def commits(self, name, first=1):
        """All commits from an index on."""
        found = []
        while True:
            connection = UnixConnection(self.home(name) / "admin.sock", timeout=10)
            try:
                target = f"/v1/commits?from={first + len(found)}&limit=1000"
                status, _, answer = request(connection, "GET", target)
            finally:
                connection.close()
            lines = answer.splitlines() if status == 200 else []
            if not lines:
                return found
            found += [json.loads(line) for line in lines]

    def api(self, name):
        """A connection to the public API, for many requests one after the other."""
        host, port = self.address(name).rsplit(":", 1)
        return http.client.HTTPConnection(host, int(port), timeout=70)

    def submit(self, name, transaction, wait="committed", timeout="30s", connection=None):
        """(status, receipt)."""
        used = connection or self.api(name)
        try:
            status, _, body = request(used, "POST", f"/v1/tx?wait={wait}&timeout={timeout}", transaction)
        finally:
            if connection is None:
                used.close()
        return status, json.loads(body)

    def put(self, name, key, value, wait="committed"):
        """The receipt."""
        status, receipt = self.submit(name, put_bytes(key, value), wait)
        check(status == 200, f"put {key} at {name}: {status} {receipt}")
        return receipt

    def read(self, name, key, connection=None):
        """The value of a key, None if there is none."""
        used = connection or self.api(name)
        try:
            status, _, body = request(used, "GET", f"/v1/kv/{key}")
        finally:
            if connection is None:
                used.close()
        check(status in (200, 404), f"GET /v1/kv/{key} at {name}: {status} {body[:200]!r}")
        return body.decode() if status == 200 else None

    def read_many(self, name, keys):
        """The values of many keys, each asked for before the answer to the one before has come."""
        address = self.address(name)
        host, port = address.rsplit(":", 1)
        found = []
        stream = socket.create_connection((host, int(port)), timeout=70)
        with stream, stream.makefile("rb") as answers:
            for begin in range(0, len(keys), AT_ONCE):
                part = keys[begin:begin + AT_ONCE]
                stream.sendall(b"".join(b"GET /v1/kv/%s HTTP/1.1\r\nHost: %s\r\n\r\n"
                                        % (key.encode(), address.encode()) for key in part))
                for key in part:
                    status, body = read_answer(answers)
                    check(status in (200, 404), f"GET /v1/kv/{key} at {name}: {status} {body[:200]!r}")
                    found.append(body.decode() if status == 200 else None)
        return found

    # ---- what a test waits for

    def wait_commit(self, name, index, seconds=PATIENCE):
        wait_until(f"commit {index} at {name}", lambda: self.status(name)["commit"] >= index, seconds)

    def wait_caught_up(self, names=None, seconds=PATIENCE):
        """Until all have committed and executed what the furthest had when this was called."""
        names = names or self.names
        most = max(self.status(name)["commit"] for name in names)

        def there():
            statuses = [self.status(name) for name in names]
            return all(status["executed"] >= most for status in statuses)

        wait_until(f"commit {most} executed by {', '.join(names)}", there, seconds)
        return most

    def verify(self, names=None):
        """The commit chains of all pairs are equal."""
        words = [self.home(name) for name in names] if names else ["--all"]
        return json.loads(monodon("verify", *words, "--dir", self.dir, "-o", "json"))

    def check_no_batch_twice(self, name):
        seen = set()
        for commit in self.commits(name):
            for batch in commit["batches"]:
                check(batch not in seen, f"{name}: batch {batch} comes again in commit {commit['index']}")
                seen.add(batch)

    def log(self, name):
        """The log lines that are JSON, as objects."""
        found = []
        for line in (self.home(name) / "node.log").read_text(errors="replace").splitlines():
            if line.startswith("{"):
                try:
                    found.append(json.loads(line))
                except json.JSONDecodeError:
                    pass  # a line that a kill has cut off
        return found

    # ---- the end

    def close(self, keep=False):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        if (self.dir / "testnet.json").exists():
            monodon("testnet", "down", "--dir", self.dir)
        if keep:
            print(f"what it left is in {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def print_state(self):
        """How the nodes are, and the ends of their logs."""
        if (self.dir / "testnet.json").exists():
            words = [MONODON, "status", "--all", "--dir", str(self.dir)]
            print(subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout)
        for name in self.names:
            file = self.home(name) / "node.log"
            if file.exists():
                print(f"---- the end of {name}/node.log")
                for line in file.read_text(errors="replace").splitlines()[-LOG_TAIL:]:
                    print(f"  {line[:600]}")


class Load:
    """Puts of numbered keys, offered by threads to some nodes until stop(), and what was acknowledged."""

    def __init__(self, committee, names, wait="durable", threads=2, prefix="load", pause=0.0):
        self.committee = committee
        self.wait = wait
        self.prefix = prefix
        self.pause = pause
        self.acknowledged = {}  # key -> value
        self.errors = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._offer, args=(name, number), daemon=True)
            for name in names
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def _offer(self, name, number):
        count = 0
        connection = self.committee.api(name)
        while not self._stop.wait(self.pause):
            key = f"{self.prefix}-{name}-{number}-{count}"
            count += 1
            try:
                transaction = put_bytes(key, key[::-1])
                status, _ = self.committee.submit(name, transaction, self.wait, "20s", connection)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                # The node is gone; whether it took the transaction is not known, so nothing is claimed.
                connection.close()
                self.errors += 1
                self._stop.wait(0.05)
                continue
            if status == 200:
                with self._lock:
                    self.acknowledged[key] = key[::-1]

    def count(self):
        with self._lock:
            return len(self.acknowledged)

    def known(self):
        """(key, value) of what was acknowledged, in the order in which it was."""
        with self._lock:
            return list(self.acknowledged.items())

    def wait_for(self, more, seconds=PATIENCE):
        """Until so many more are acknowledged."""
        wanted = self.count() + more
        wait_until(f"{more} more acknowledged transactions", lambda: self.count() >= wanted, seconds)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=80)
            check(not thread.is_alive(), "a client of the load hangs")

    def check_present(self, names):
        """Every acknowledged key has its value on every node."""
        for name in names:
            connection = self.committee.api(name)
            missing = [
                key for key, value in self.acknowledged.items()
                if self.committee.read(name, key, connection) != value
            ]
            connection.close()
            check(not missing, f"{name} lacks {len(missing)} acknowledged keys, for example {missing[:3]}")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def run(test, validators=4, keep=False):
    """Runs one test with a committee of its own; the exit code of the script. `keep` leaves the homes of a
    test that failed."""
    committee = Committee(validators)
    # An interrupted or timed-out test leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begin = time.monotonic()
    code = 1
    try:
        test(committee)
        print(f"passed in {time.monotonic() - begin:.1f} s")
        code = 0
    except (Wrong, OSError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
        print(f"FAILED after {time.monotonic() - begin:.1f} s: {error}")
        committee.print_state()
    finally:
        committee.close(keep and code != 0)
    return code
