"""The committee that is attacked and what every row of the table needs: three honest validators under a light
load, the key of the fourth in the hands of the attacker, and a clock on the commits."""

import contextlib
import itertools
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness import Load, check, wait_until  # noqa: E402

import identity as ids  # noqa: E402
from insider import Insider  # noqa: E402
from peer import CLIENT, MEMBER, Closed, Peer, own_pem  # noqa: E402

VICTIM = "v0"
WITNESS = "v1"
INSIDER = "v3"
# A row asserts that commits never pause for longer. Without any attack a machine under load has pauses of a
# second; the design allows 5 s.
PAUSE_MAX = 5.0
MIB = 1 << 20
# What the allocator keeps and what the load adds meanwhile, on top of what a row allows.
SLACK = 16 * MIB


class CommitClock(threading.Thread):
    """How long the committee has gone without a commit, as an honest validator sees it, and the most memory
    that the victim has held."""

    def __init__(self, committee, rss):
        super().__init__(daemon=True)
        self.committee = committee
        self.rss = rss
        self.peak = 0
        self.lock = threading.Lock()  # of the peak
        self.last = (0, time.monotonic())
        self.longest = 0.0
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(0.05):
            self.sample()
            try:
                commit = self.committee.status(WITNESS)["commit"]
            except OSError:
                continue
            now = time.monotonic()
            self.longest = max(self.longest, now - self.last[1])
            if commit > self.last[0]:
                self.last = (commit, now)

    def sample(self, anew=False):
        """Bytes now, and the peak follows; a peak that begins anew forgets what was before."""
        with self.lock:
            now = self.rss()
            self.peak = now if anew else max(self.peak, now)
            return now

    def reset(self):
        self.longest = time.monotonic() - self.last[1]


class Arena:
    def __init__(self, committee, *words):
        """`words` are more of `testnet up`."""
        self.committee = committee
        committee.up("--set", "net.loopback_exempt=false", "--set", "net.test_every=1s", *words)
        self.let_all_lead()
        self.victim = committee.address(VICTIM, "peer")
        self.victim_pid = committee.status(VICTIM)["pid"]
        self.insider = ids.Identity.of_home(committee.home(INSIDER))
        committee.down(INSIDER)
        self.insider_address = committee.address(INSIDER, "peer")
        self.hosts = (f"127.0.{high}.{low}" for high in itertools.count(1) for low in range(1, 250))
        self.hosts_lock = threading.Lock()
        self.insider_pem = own_pem(self.insider)
        with self.client() as first:
            self.chain, self.genesis, self.epoch, self.digest = first.ack[1:5]
        members = json.loads((committee.dir / "genesis.json").read_text())["members"]
        index = [member["name"] for member in members].index(INSIDER)
        self.signer = Insider(self.insider, index, self.chain, self.epoch)
        self.load = Load(committee, [WITNESS], wait="committed", threads=1, prefix="hostile", pause=0.05)
        self.clock = CommitClock(committee, self.rss_now)
        self.load.wait_for(1)
        self.clock.start()

    def let_all_lead(self):
        """The first commit shows one member active, who then leads nearly alone: if it were the one that is
        stopped, commits would pause for half a minute without any attack."""
        def active():
            self.committee.put(WITNESS, f"begin-{next(number)}", "x")
            return min(member["weight"] for member in self.committee.status(WITNESS)["validators"]) > 10

        number = itertools.count()
        wait_until("commits that show all members active", active)

    @contextlib.contextmanager
    def calm(self):
        """Few rounds a second meanwhile: for attacks on what the node forgets with the rounds."""
        pause, self.load.pause = self.load.pause, 1.0
        try:
            yield
        finally:
            self.load.pause = pause

    def host(self):
        """An address of 127/8 from which nobody has come yet."""
        with self.hosts_lock:
            return next(self.hosts)

    def pid(self):
        return self.committee.status(VICTIM)["pid"]

    def rss_now(self):
        """RssAnon of the victim, in bytes."""
        return self.rss_of(self.victim_pid)

    @staticmethod
    def rss_of(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith("RssAnon:"))
        return int(line.split()[1]) * 1024

    def rss(self):
        """The same, and the beginning of what bounded() looks at."""
        return self.clock.sample(anew=True)

    def raw(self, source=None, **fields):
        return Peer(self.victim, source or self.host(), **fields)

    def client(self, source=None, **fields):
        """A connection of a client that has been accepted."""
        peer = Connected(self.victim, source or self.host(), **fields)
        peer.greet(role=CLIENT)
        return peer

    def member_hello(self, **changes):
        return {"chain": self.chain, "genesis": self.genesis, "epoch": self.epoch, "committee": self.digest,
                "role": MEMBER, **changes}

    def forgive(self):
        """Lets the honest validators forget what the insider was charged with, so that one attack does not
        decide on the next."""
        for node in (VICTIM, WITNESS):
            self.committee.admin(node, f"/v1/peers/{INSIDER}/unban", "POST", "")

    def standing(self, peer=INSIDER):
        """What the victim thinks of a peer, by name or peer id."""
        return self.committee.admin(VICTIM, f"/v1/peers/{peer}")["standing"]

    def becomes(self, bands, peer=INSIDER):
        """Waits until the victim has put the peer into one of these bands; score and reason."""
        def there():
            standing = self.standing(peer)
            return standing if standing["band"] in bands else None

        standing = wait_until(f"the band of {peer} to be one of {bands}", there)
        return f"{standing['band']} at {standing['score']:.0f} ({standing['reason']})"

    def member(self, address=None, changes=None, forgiven=True, **fields):
        """A connection with the key of the fourth validator. The validator is another process each time, so
        that the new connection replaces an older one."""
        if forgiven:
            self.forgive()
        hello = self.member_hello(nonce=time.monotonic_ns(), **(changes or {}))
        address = address or self.victim

        def connected():
            peer = Connected(address, self.host(), pem=self.insider_pem, **fields)
            try:
                peer.greet(**hello)
            except Closed as error:
                peer.close()
                return str(error) if "GOAWAY" not in str(error) else None
            return peer

        return wait_until("the connection of the insider", connected)

    def ends(self, node=VICTIM):
        """Why connections of the insider to a node have ended, in the node's words."""
        name = self.insider.peer_id()
        return [line["reason"] for line in self.committee.log(node)
                if line["msg"] == "peer disconnected" and line["peer"] == name]

    def served(self, seconds=5.0):
        """An honest client is served by the victim; how long that took."""
        begin = time.monotonic()
        with self.client():
            pass
        took = time.monotonic() - begin
        check(took < seconds, f"an honest client waited {took:.1f} s")
        return took

    def bounded(self, before, allowed, what):
        self.clock.sample()
        return self.within(self.clock.peak - before, allowed, what)

    @staticmethod
    def within(grown, allowed, what):
        limit = f"{grown / MIB:.1f} MiB more at its most, allowed are {allowed / MIB:.1f}"
        check(grown <= allowed + SLACK, f"{what}: {limit}")
        return f"RssAnon at most {grown / MIB:+.1f} MiB"

    def stop(self):
        self.clock.stopped.set()
        self.load.stop()


class Connected(Peer):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
