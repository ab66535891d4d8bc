"""Rows 40 to 44: dials that collide, are dropped or lead back, hellos of another chain, CANCEL."""

import os
import select
import socket
import threading
import time

from harness import check, wait_until

from arena import MIB, VICTIM
from insider import quorum
from pack import pack, unpack
from peer import (
    BULK, CANCEL, CANCELLED, ERROR, GET_CERTIFICATES, HELLO_ACK, INTERACTIVE, LAST, RATE_LIMITED, RESPONSE,
    WRONG_CHAIN, WRONG_COMMITTEE, WRONG_EPOCH, WRONG_GENESIS, Closed, Peer, context, ended, frame,
)
from rows_load import DIGESTS, REPLY_BYTES, connection

# The slowest redial of a member, 2 s less a fifth.
REDIAL = 1.6


def hundred_dials(arena):
    """40 100 simultaneous dials."""
    nonce = time.monotonic_ns()
    go = threading.Event()
    admitted, refused = [], []

    def dial(peer):
        go.wait()
        try:
            peer.greet(**arena.member_hello(nonce=nonce))
            admitted.append(peer)
        except (Closed, OSError) as error:
            refused.append(error)
            peer.close()

    hosts = [arena.host() for _ in range(100)]
    peers = [Peer(arena.victim, host, pem=arena.insider_pem) for host in hosts]
    threads = [threading.Thread(target=dial, args=(peer,)) for peer in peers]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    check(len(admitted) + len(refused) == 100 and admitted, f"{len(admitted)} and {len(refused)} of 100")
    # All but one are ended.
    open_still = list(admitted)

    def one_is_left():
        open_still[:] = [peer for peer in open_still if ended(peer.sock, 0.1) is None]
        return len(open_still) <= 1

    wait_until("all dials but one to be ended", one_is_left, 10)
    check(len(open_still) == 1, "no dial stays")
    check(connection(arena, VICTIM)["connected"], "the node knows of none")
    for peer in admitted:
        peer.close()
    arena.served()
    return f"{len(admitted)} admitted one after the other, {len(refused)} refused, one stays"


class Impostor:
    """Listens where the insider's own node did; `handle` gets the connections that the victim has dialled."""

    def __init__(self, arena, handle):
        self.arena = arena
        self.handle = handle
        self.dials = []  # when
        self.stopped = False
        host, port = arena.insider_address.rsplit(":", 1)
        self.listener = socket.create_server((host, int(port)))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            sock, address = self.listener.accept()
            if owner_of(address[1], self.arena.victim_pid):
                self.dials.append(time.monotonic())
                self.handle(sock)
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
        self.listener.close()


def owner_of(port, pid):
    """Whether the process has a TCP socket at this port of 127.0.0.1."""
    local = f"0100007F:{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as file:
        inodes = {f"socket:[{line.split()[9]}]" for line in file if line.split()[1] == local}
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{name}") in inodes:
                return True
        except FileNotFoundError:
            pass  # closed meanwhile
    return False


def accept_then_drop(arena):
    """41 accept-then-drop."""
    tls = context(arena.insider_pem, server=True)
    greeted = []

    def drop(sock):
        """Every second one only after it was admitted."""
        if len(greeted) % 2 == 0:
            greeted.append(False)
            return
        peer = Accepted(sock, tls)
        try:
            peer.secure()
            peer.receive()
            peer.send(frame(HELLO_ACK, peer.hello(**arena.member_hello(nonce=time.monotonic_ns()))))
            greeted.append(True)
        except (Closed, OSError):
            greeted.append(False)

    with Impostor(arena, drop) as impostor:
        def gaps():
            return [after - before for before, after in zip(impostor.dials, impostor.dials[1:])]

        # Neither end of a connection makes the next dial come sooner.
        slow = wait_until("the slowest redial", lambda: any(greeted) and slowest(gaps()))
        dials = len(impostor.dials)
    check(dials <= 8, f"{dials} dials, after {slow}")
    arena.served()
    return f"dialled again after {', '.join(f'{gap:.1f}' for gap in slow)} s"


def slowest(gaps):
    """All of them once the last two are as long as they get."""
    return gaps if len(gaps) > 1 and min(gaps[-2:]) > REDIAL * 0.95 else None


class Accepted(Peer):
    """The other end of a connection that the node has dialled."""

    def __init__(self, sock, tls):
        self.sock = sock
        sock.settimeout(5)
        self.speak(tls, server=True)


def self_dial(arena):
    """42 self-dial."""
    def lead_back(sock):
        """To the port of the node itself, until one end has enough."""
        host, port = arena.victim.rsplit(":", 1)
        with socket.create_connection((host, int(port)), source_address=(arena.host(), 0)) as back:
            ends = {sock: back, back: sock}
            while True:
                for end in select.select(list(ends), [], [], 5)[0]:
                    try:
                        data = end.recv(65536)
                    except OSError:
                        return
                    if not data:
                        return
                    ends[end].sendall(data)

    with Impostor(arena, lead_back) as impostor:
        wait_until("a dial", lambda: impostor.dials)
        wait_until("the reason", lambda: "ourselves" in connection(arena, VICTIM)["last_error"])
        begin = time.monotonic()
        # Longer than any redial of a member.
        wait_until("no dial", lambda: time.monotonic() - begin > 3.5 or len(impostor.dials) > 1)
        check(len(impostor.dials) == 1, f"dialled itself {len(impostor.dials)} times")
    # Whom it does not dial any more is welcome all the same.
    arena.member().close()
    return "one dial, no other in 3.5 s"


def wrong_chain(arena):
    """43 wrong chain or epoch."""
    wrong = {
        "chain": ({"chain": "another"}, WRONG_CHAIN),
        "genesis": ({"genesis": bytes(31) + b"\x01"}, WRONG_GENESIS),
        "epoch": ({"epoch": arena.epoch + 1}, WRONG_EPOCH),
        "earlier epoch": ({"epoch": 2**64 - 1}, WRONG_EPOCH),
        "committee": ({"committee": bytes(32)}, WRONG_COMMITTEE),
    }
    for what, (changes, reason) in wrong.items():
        refusal(arena.raw(pem=arena.insider_pem), arena.member_hello(**changes), what, reason)
    refusal(arena.raw(), {"chain": "another"}, "chain of a client", WRONG_CHAIN)
    foreign = {"chain": arena.chain, "genesis": b"\x01" * 32}
    refusal(arena.raw(), foreign, "genesis of a client", WRONG_GENESIS)
    return f"{len(wrong) + 2} ways, each GOAWAY with its reason"


def refusal(peer, hello, what, reason):
    try:
        peer.greet(**hello)
        check(False, f"wrong {what}: admitted")
    except Closed as closed:
        check(f"GOAWAY [{reason}]" in str(closed), f"wrong {what}: {closed}, not GOAWAY {reason}")
    finally:
        peer.close()


def cancel_storm(arena):
    """44 CANCEL storm."""
    before = arena.rss()
    with arena.member() as peer:
        _, certified = quorum(peer, arena.signer)
        body = pack([[certified[0][1]] * DIGESTS])
        requests, answers, replies, bytes_before = 0, {}, set(), connection(arena, VICTIM)["bytes_out"]
        for _ in range(200):
            burst, numbers = b"", []
            for cls in (INTERACTIVE, BULK):
                for _ in range(4):
                    number, data = peer.request_frame(GET_CERTIFICATES, body, cls=cls)
                    burst += data
                    numbers.append(number)
            # Each twice, then such as never were.
            cancels = [*numbers, *numbers, *range(10**9 + 1, 10**9 + 41, 2)]
            peer.send(burst + b"".join(frame(CANCEL, request=number) for number in cancels))
            requests += len(numbers)
            open_ids = set(numbers)
            while open_ids:
                kind, flags, _, _, number, _, payload = peer.wanted(RESPONSE, ERROR)
                check(number in open_ids, f"an answer to {number}, which has had one or was never asked")
                if kind == ERROR:
                    code = unpack(payload)[0]
                    check(code in (CANCELLED, RATE_LIMITED), f"error {code}")
                    answers[code] = answers.get(code, 0) + 1
                    open_ids.remove(number)
                elif flags & LAST:
                    replies.add(number)
                    open_ids.remove(number)
        arena.served()
        moved = connection(arena, VICTIM)["bytes_out"] - bytes_before
    asked = requests * REPLY_BYTES / 2
    check(moved < asked / 4, f"{moved / MIB:.0f} MiB were sent, of {asked / MIB:.0f} that were cancelled")
    figure = arena.bounded(before, 8 * REPLY_BYTES, "cancelled requests")
    return (f"{requests} requests: {answers.get(CANCELLED, 0)} CANCELLED, {len(replies)} replies crossed; "
            f"{moved / MIB:.1f} MiB sent; {figure}")


ROWS = [hundred_dials, accept_then_drop, self_dial, wrong_chain, cancel_storm]
BACKGROUND = []
