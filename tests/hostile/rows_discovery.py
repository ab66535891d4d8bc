"""Rows 33 to 38: peer records and what a node does with the addresses in them."""

import contextlib
import select
import socket
import threading
import time

from harness import check, wait_until

import identity as ids
from arena import INSIDER, MIB, VICTIM, Connected
from pack import pack, unpack
from peer import (
    BULK, ERROR, GET_PEERS, HELLO_ACK, LAST, MEMBER, NOT_FOUND, OBSERVER, RATE_LIMITED, REQUEST, RESPONSE,
    VIOLATION, Closed, context, frame, own_pem,
)
from records import HOUR, record
from rows_connections import Accepted

SAMPLE = 64
# What one network group can tell: 16 buckets of 16.
NEW_OF_SOURCE = 256
# What answers from one: 2 buckets of 16.
TRIED_OF_GROUP = 32
BURST = 6
OBSERVER_NODE = "o0"


def addresses(arena, node=VICTIM):
    return arena.committee.admin(node, "/v1/addresses")


def entry(arena, identity, node=VICTIM):
    return next((row for row in addresses(arena, node) if row["peer_id"] == identity.peer_id()), None)


def teller(arena, host, address=None):
    """The insider, from an address of the caller's choice; what it was charged with before is forgotten."""
    arena.forgive()

    def connected():
        peer = Connected(address or arena.victim, host, pem=arena.insider_pem)
        try:
            peer.greet(**arena.member_hello(nonce=time.monotonic_ns(), peers=True))
        except Closed:
            peer.close()
            return None
        return peer

    return wait_until("the connection of the insider", connected)


def question(peer):
    """The number of the node's next GetPeers; other requests find nothing."""
    while True:
        _, _, _, method, number, _, _ = peer.wanted(REQUEST)
        if method == GET_PEERS:
            return number
        peer.send(frame(ERROR, pack([NOT_FOUND, 0]), method=method, request=number))


def tell(peer, records):
    number = question(peer)
    peer.send(frame(RESPONSE, pack([records]), flags=LAST, cls=BULK, method=GET_PEERS, request=number))


def told(arena, host, records, address=None):
    """One answer of the insider, and what became of the connection."""
    with teller(arena, host, address) as peer:
        tell(peer, records)
        return peer.goaway_within(1.0)


def poisoned(arena):
    """33 poisoned peer records."""
    before = arena.rss()
    host = arena.host()
    forged = record(ids.Identity(), arena.genesis, ["127.201.0.1:9"], signer=ids.Identity())
    check(told(arena, host, [forged]) == VIOLATION, "a forged record was taken")
    for wrong in (["127.0.0.1:0"], ["0.0.0.0:9"], ["224.0.0.1:9"], ["127.1:9"], []):
        bad = record(ids.Identity(), arena.genesis, wrong)
        check(told(arena, host, [bad]) == VIOLATION, f"a record with {wrong} was taken")
    stranger = record(ids.Identity(), arena.genesis, ["127.201.0.1:9"], role=MEMBER)
    check(told(arena, host, [stranger]) is None, "the word of a stranger ended the connection")
    given = 0
    for number in range(12):
        lies = [record(ids.Identity(), arena.genesis, [f"127.{100 + number}.{each}.1:9"])
                for each in range(SAMPLE)]
        given += len(lies)
        check(told(arena, host, lies) is None, "a true signature ended the connection")
    # How many find a place is a matter of the node's secret: a bucket of 64 at least.
    rows = wait_until("the lies in the book", lambda: len(addresses(arena)) > 32 and addresses(arena))
    new = sum(row["table"] == "new" for row in rows)
    members = [row for row in rows if row["table"] == "committee"]
    check(new <= NEW_OF_SOURCE, f"{new} lies of {given} are in the book, {NEW_OF_SOURCE} at most")
    check(len(members) == 3 and all(row["name"] for row in members), f"the committee is {members}")
    # None of it is passed on: nobody has answered there.
    with contextlib.closing(arena.raw(arena.host())) as peer:
        peer.greet(**arena.member_hello(role=OBSERVER, nonce=time.monotonic_ns()))
        records = unpack(peer.ask(GET_PEERS, pack([]), cls=BULK))[0]
    check(len(records) <= 3, f"{len(records)} records were passed on")
    figure = arena.bounded(before, 4 * MIB, "peer records")
    return f"{new} of {given} lies kept, {len(records)} records passed on; {figure}"


def replayed(arena):
    """34 replayed peer records."""
    host = f"127.202.0.{1 + time.monotonic_ns() % 200}"
    subject = ids.Identity()
    old = record(subject, arena.genesis, ["127.203.0.1:9"], sequence=4)
    newer = record(subject, arena.genesis, ["127.203.0.1:8"], sequence=5)
    second = record(subject, arena.genesis, ["127.203.0.1:7"], sequence=5)
    foreign = record(subject, bytes(32), ["127.203.0.1:6"], sequence=6)
    check(told(arena, host, [newer]) is None, "a newer record ended the connection")
    wait_until("the record", lambda: entry(arena, subject))
    for stale in ([old], [second], [old, second, newer]):
        check(told(arena, host, stale) is None, "an older record ended the connection")
        row = entry(arena, subject)
        check(row and row["sequence"] == 5 and row["addresses"] == ["127.203.0.1:8"], f"it is now {row}")
    check(told(arena, host, [foreign]) == VIOLATION, "a record of another chain was taken")
    wait_until("the report of two records with one number", lambda: any(
        "two records" in line["msg"] and line["peer"] == subject.peer_id()
        for line in arena.committee.log(VICTIM)))
    return "the newest is kept, of two with one number the first, and that is reported"


def future_dated(arena):
    """35 future-dated peer records."""
    host = arena.host()
    for what, fields, verdict in (
            ("issued in an hour", {"issued": HOUR}, None),
            ("issued in a minute", {"issued": 60}, None),
            ("expired", {"issued": -2 * HOUR, "life": HOUR}, None),
            ("valid for two days", {"life": 48 * HOUR}, VIOLATION),
            ("valid for ever", {"life": 2**42}, VIOLATION)):
        subject = ids.Identity()
        made = record(subject, arena.genesis, ["127.204.0.1:9"], **fields)
        check(told(arena, host, [made]) == verdict, f"a record {what}: the connection")
        check(entry(arena, subject) is None, f"a record {what} was taken")
    return "none is taken; one that is valid for too long is a violation"


def endless(arena):
    """36 endless peer records."""
    before = arena.rss()
    host = arena.host()
    good = record(ids.Identity(), arena.genesis, ["127.205.0.1:9"])
    check(told(arena, host, [good] * (SAMPLE + 1)) == VIOLATION, "65 records were taken")
    check(told(arena, host, [good + bytes(512)]) == VIOLATION, "a record of more than 512 bytes was taken")
    check(told(arena, host, [good] * SAMPLE) is None, "64 records ended the connection")
    with teller(arena, host) as peer:
        number = question(peer)
        sent = 0
        try:
            for chunk in range(64):
                part = bytes(65536)
                peer.send(frame(RESPONSE, part, flags=0, cls=BULK, method=GET_PEERS, request=number,
                                chunk=chunk))
                sent += len(part)
        except (Closed, OSError):
            pass
        check(peer.goaway_within(5.0) == VIOLATION, "an answer without end went on")
    # And who asks without end.
    with contextlib.closing(arena.raw(arena.host())) as peer:
        peer.greet(**arena.member_hello(role=OBSERVER, nonce=time.monotonic_ns()))
        answers = [peer.ask(GET_PEERS, pack([]), cls=BULK) for _ in range(3 * BURST)]
    given = sum(isinstance(answer, (bytes, bytearray)) for answer in answers)
    # The bucket gives on credit once.
    check(given <= BURST + 1 and set(answers[given:]) == {RATE_LIMITED},
          f"{given} of {len(answers)} answered")
    figure = arena.bounded(before, 2 * MIB, "answers without end")
    return f"{given} of {len(answers)} questions answered; {figure}"


class ThirdParty:
    """Listens at several ports of one host and counts who comes."""

    def __init__(self, host, ports):
        self.listeners = [socket.create_server((host, 0)) for _ in range(ports)]
        self.addresses = [f"{host}:{each.getsockname()[1]}" for each in self.listeners]
        self.visits = 0
        self.stopped = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            for ready in select.select(self.listeners, [], [], 0.1)[0]:
                ready.accept()[0].close()
                self.visits += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
        for each in self.listeners:
            each.close()


def victim(arena):
    """37 an address book pointing at a victim."""
    seconds = 20
    with ThirdParty("127.206.0.1", 8) as third:
        for number in range(3):
            lies = [record(ids.Identity(), arena.genesis, [third.addresses[each % 8]])
                    for each in range(SAMPLE)]
            check(told(arena, f"127.{207 + number}.0.1", lies) is None, "a true signature ended it")
        begin = time.monotonic()
        wait_until("a visit", lambda: third.visits > 0)
        wait_until("what the node does", lambda: time.monotonic() - begin > seconds, seconds + 10)
        visits = third.visits
    # Four at once, one more on what is left of a token, and one in half a minute.
    check(visits <= 4 + 1 + seconds / 30 + 1, f"{visits} connections in {seconds} s")
    return f"{visits} connections to the third party in {seconds} s"


class Crowd:
    """Nodes of one /24 which answer as they should: each address has its own identity."""

    def __init__(self, arena, network, size):
        self.arena = arena
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=128)
        port = self.listener.getsockname()[1]
        self.members = {f"{network}.{each}": ids.Identity() for each in range(1, size + 1)}
        self.pems = {host: own_pem(identity) for host, identity in self.members.items()}
        self.records = [record(identity, arena.genesis, [f"{host}:{port}"])
                        for host, identity in self.members.items()]
        self.names = {identity.peer_id() for identity in self.members.values()}
        self.stopped = False
        self.threads = [threading.Thread(target=self.run, daemon=True)]
        self.threads[0].start()

    def run(self):
        while not self.stopped:
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            sock, _ = self.listener.accept()
            thread = threading.Thread(target=self.serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def serve(self, sock):
        host = sock.getsockname()[0]
        peer = Accepted(sock, context(self.pems[host], server=True))
        try:
            peer.secure()
            peer.receive()
            hello = self.arena.member_hello(role=OBSERVER, nonce=time.monotonic_ns(), peers=True)
            peer.send(frame(HELLO_ACK, peer.hello(**hello)))
            sock.settimeout(60)
            while not self.stopped:
                _, _, _, method, number, _, _ = peer.wanted(REQUEST)
                if method == GET_PEERS:
                    peer.send(frame(RESPONSE, pack([self.records[:SAMPLE]]), cls=BULK, method=method,
                                    request=number))
                else:
                    peer.send(frame(ERROR, pack([NOT_FOUND, 0]), method=method, request=number))
        except (Closed, OSError):
            pass
        finally:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.threads[0].join()
        self.listener.close()


def eclipse(arena):
    """38 eclipse from one /24."""
    committee = arena.committee
    names = [name for name in committee.names if name != INSIDER]
    committee.up("--observers", "1", "--without", INSIDER, "--set", "net.loopback_exempt=false")
    target = committee.address(OBSERVER_NODE, "peer")

    def links():
        return [row for row in committee.admin(OBSERVER_NODE, "/v1/peers") if row["connected"]]

    def honest():
        return [row for row in links() if row["role"] == "member" and row["direction"] == "out" and
                row["name"] in names]

    with Crowd(arena, "127.215.7", 120) as crowd:
        for first in range(0, 120, 60):
            check(told(arena, f"127.216.{first}.1", crowd.records[first:first + 60], target) is None,
                  "true records ended the connection")
        # They dial as well, all of them.
        inbound, refused = [], 0
        for host, pem in list(crowd.pems.items())[:60]:
            peer = Connected(target, host, pem=pem)
            try:
                peer.greet(**arena.member_hello(role=OBSERVER, nonce=time.monotonic_ns()))
                inbound.append(peer)
            except Closed:
                refused += 1
        wait_until("the crowd among those it has dialled", lambda: any(
            row["direction"] == "out" and row["peer_id"] in crowd.names for row in links()))
        begin = time.monotonic()
        # At a time: who is dialled as well keeps one of its two connections, and its place is free again.
        most = most_in = 0
        while time.monotonic() - begin < 5:
            theirs = [row["direction"] for row in links() if row["peer_id"] in crowd.names]
            most, most_in = max(most, theirs.count("out")), max(most_in, theirs.count("in"))
            check(len(honest()) == len(names), f"of the honest members it has {honest()}")
            time.sleep(0.2)
        rows = addresses(arena, OBSERVER_NODE)
        tried = sum(row["table"] == "tried" and row["peer_id"] in crowd.names for row in rows)
        for peer in inbound:
            peer.close()
        # With a book full of them it starts again, and finds the honest ones.
        committee.kill(OBSERVER_NODE)
        committee.add(OBSERVER_NODE)
        wait_until("the honest members", lambda: len(honest()) == len(names))
    check(0 < most_in <= 16, f"{most_in} of one /24 are admitted")
    # Also of those that it dials at the same moment. Who is only looked at is none of them.
    check(0 < most <= 2, f"{most} of those it dials are of one /24")
    check(tried <= TRIED_OF_GROUP, f"{tried} of one /16 were tried")
    committee.wait_commit(OBSERVER_NODE, committee.status(VICTIM)["commit"])
    committee.down(OBSERVER_NODE)
    return (f"{most_in} admitted at a time, {refused} refused; {most} of those it dials are the crowd's, all "
            f"{len(names)} honest members are; {tried} tried")


ROWS = [poisoned, replayed, future_dated, endless, victim, eclipse]
BACKGROUND = []
