"""Rows 29 to 32: what a connection can be filled with, in both directions."""

import time

from harness import check, put_bytes, wait_until

from arena import INSIDER, MIB, VICTIM, WITNESS
from insider import notice, propose, quorum
from pack import pack, unpack
from peer import (
    BATCH, BULK, BUSY, ERROR, GET_CERTIFICATES, INTERACTIVE, LAST, NOTICE, PING, PONG, RESPONSE, VOTE,
    frame,
)
from rows_frames import MEMBER_BYTES
from rows_transport import LATE

# Not the victim of the other rows: who does not read keeps the insider's place there for 20 s.
DEAF = "v2"
WINDOW = ((BULK, 4), (INTERACTIVE, 16))
DIGESTS = 1000
# A certificate of a committee of four is smaller, whatever it holds under this load.
CERTIFICATE_BYTES = 1024
REPLY_BYTES = DIGESTS * CERTIFICATE_BYTES


def large_question(peer, arena):
    """A body that is answered with as many certificates as a reply may have."""
    _, certified = quorum(peer, arena.signer)
    return pack([[certified[0][1]] * DIGESTS])


def fill_window(peer, body):
    """Asks for as much as the windows allow; the ids."""
    numbers = []
    for cls, width in WINDOW:
        for _ in range(width):
            number, data = peer.request_frame(GET_CERTIFICATES, body, cls=cls)
            peer.send(data)
            numbers.append(number)
    return numbers


def connection(arena, name):
    """What the node says of its connection to the insider."""
    peers = arena.committee.admin(name, "/v1/peers")
    return next(peer for peer in peers if peer["name"] == INSIDER)


def stuck(arena, name):
    """Waits until the node has more to write to the insider than the system takes."""
    wait_until("a full connection", lambda: sum(connection(arena, name)["queued"]) > MIB)


def never_reads(arena):
    """29 never reads."""
    pid = arena.committee.status(DEAF)["pid"]
    peer = arena.member(arena.committee.address(DEAF, "peer"), buffer=4096)
    body = large_question(peer, arena)
    before = peak = arena.rss_of(pid)
    fill_window(peer, body)
    peer.send(frame(PING, request=1) * 10_000)
    stuck(arena, DEAF)
    begin = time.monotonic()
    while "peer does not read" not in arena.ends(DEAF):
        check(time.monotonic() - begin < 20 + LATE, "who does not read is not closed")
        peak = max(peak, arena.rss_of(pid))
        time.sleep(0.05)
    took = time.monotonic() - begin
    peer.close()
    allowed = sum(width for _, width in WINDOW) * REPLY_BYTES
    figure = arena.within(peak - before, allowed, "replies that are not read")
    check(took > 15, f"closed after {took:.1f} s already")
    return f"closed after {took:.1f} s; {figure}"


def both_full(arena):
    """30 both write-full."""
    with arena.member(buffer=4096) as peer:
        body = large_question(peer, arena)
        number, _ = quorum(peer, arena.signer)
        before = arena.rss()
        asked = fill_window(peer, body)
        stuck(arena, VICTIM)
        # The node does not get rid of a byte, and takes all the same what it is sent.
        begin = time.monotonic()
        sent = 0
        # The same each time: the others would take up different ones, and hold them in memory for a while.
        batch, _ = arena.signer.batch([put_bytes("full", "x" * 250_000)] * 2, number)
        while sent + len(batch) < 4 * MIB:
            notice(peer, BATCH, batch)
            sent += len(batch)
        wait_until("all to be read", lambda: connection(arena, VICTIM)["bytes_in"] > sent)
        took = time.monotonic() - begin
        check(sum(connection(arena, VICTIM)["queued"]) > MIB, "the connection was not full meanwhile")
        check(took < 10, f"it took {took:.1f} s to be heard")
        arena.served()
        figure = arena.bounded(before, 20 * REPLY_BYTES + MEMBER_BYTES, "both full")
        # Whoever reads at last gets every reply whole, unless it was told at once that there is no room.
        whole, busy = 0, 0
        while whole + busy < len(asked):
            kind, flags, _, _, request, _, payload = peer.wanted(RESPONSE, ERROR)
            check(request in asked, f"an answer to {request}")
            if kind == ERROR:
                check(unpack(payload)[0] == BUSY, f"error {unpack(payload)[0]}")
                busy += 1
            elif flags & LAST:
                whole += 1
        check(whole >= 8, f"{whole} replies, {busy} times busy")
    return f"{sent / MIB:.0f} MiB heard in {took:.1f} s, then {whole} replies whole, {busy} BUSY; {figure}"


def vote_delays(arena, peer, witness, seconds, on_reply):
    """How long the node's votes take, for one header after the other on this connection."""
    delays = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        number, parents = quorum(witness, arena.signer)
        digest = propose(peer, arena.signer, number + 1, parents)
        begin = time.monotonic()
        while True:
            kind, flags, _, method, _, _, payload = peer.wanted(NOTICE, RESPONSE, ERROR)
            if kind == NOTICE and method == VOTE and digest in payload:
                break
            if kind == ERROR or (kind == RESPONSE and flags & LAST):
                on_reply()
        delays.append(time.monotonic() - begin)
    return delays


def bulk(arena):
    """31 bulk saturates."""
    before = arena.rss()
    witness = arena.member(arena.committee.address(WITNESS, "peer"))
    with arena.member() as peer:
        idle = vote_delays(arena, peer, witness, 1.0, None)
        body = large_question(peer, arena)

        def ask():
            peer.send(peer.request_frame(GET_CERTIFICATES, body, cls=BULK)[1])

        for _ in range(4):
            ask()
        begin = connection(arena, VICTIM)["bytes_out"]
        busy = vote_delays(arena, peer, witness, 3.0, ask)
        moved = connection(arena, VICTIM)["bytes_out"] - begin
        arena.served()
    witness.close()
    slowest = max(busy)
    check(len(busy) >= 5 and slowest < 1.0, f"{len(busy)} votes, the slowest took {slowest:.2f} s")
    check(moved > 8 * MIB, f"only {moved / MIB:.1f} MiB of bulk in 3 s")
    return (f"{len(busy)} votes, at most {slowest * 1000:.0f} ms (idle {max(idle) * 1000:.0f} ms) beside "
            f"{moved / MIB / 3:.0f} MiB/s; {arena.bounded(before, 4 * REPLY_BYTES + MIB, 'bulk')}")


def ping_flood(arena):
    """32 ping flood."""
    before = arena.rss()
    flood = b"".join(frame(PING, request=number) for number in range(1, 1001))
    final = 10**6
    with arena.client() as peer:
        begin = time.monotonic()
        for _ in range(100):
            peer.send(flood)
        arena.served()
        # One more and more until one is answered: the node is still there for it.
        pongs, last = 0, 0
        peer.sock.settimeout(0.05)
        while last < final:
            check(time.monotonic() - begin < 20, "no ping is answered any more")
            try:
                last = peer.wanted(PONG)[4]
                pongs += 1
            except TimeoutError:
                final += 1
                peer.send(frame(PING, request=final))
        took = time.monotonic() - begin
    # 20 at once and 10 a second.
    check(pongs <= 25 + 12 * took, f"{pongs} pongs in {took:.1f} s")
    return f"{pongs} pongs for 100,000 pings in {took:.1f} s; {arena.bounded(before, MIB, 'pings')}"


ROWS = [both_full, bulk, ping_flood]
BACKGROUND = [never_reads]
