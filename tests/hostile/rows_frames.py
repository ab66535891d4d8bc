"""Rows 3 and 11 to 17: frames, messages and what is in them."""

import struct

from harness import check, put_bytes

from arena import MIB
from pack import binary, pack
from peer import (
    BATCH, CONSENSUS, CONTROL, DATA, HEADER, HELLO, LAST, MALFORMED, NOTICE, PING, SUBMIT, VIOLATION, ZSTD,
    Closed, frame,
)
from rows_transport import on_budget, trickle

# The memory of the unfinished messages of one member, and of one client.
MEMBER_BYTES = 32 * MIB
CLIENT_BYTES = 4 * MIB
CHUNK = 65536


def violation(peer, data, what):
    """The node says why and closes."""
    try:
        peer.send(data)
    except Closed:
        pass  # it may have closed before all was written
    reason = peer.goaway()
    peer.close()
    check(reason == VIOLATION, f"{what}: GOAWAY {reason}, not {VIOLATION}")


def submission(*transactions):
    """Wanted is only that they are accepted."""
    return pack([0, list(transactions)])


def slow_frame(arena):
    """3 one byte a second in a frame body."""
    with arena.client() as peer:
        _, body = peer.request_frame(SUBMIT, bytes(1000))
        peer.sock.sendall(peer.record(body[:30]))
        # Every byte in a record of its own, so that the node sees the frame grow.
        took = trickle(peer.sock, body[30:], seconds=40, wrap=peer.record)
    on_budget(took, 20, "a slow frame")
    return f"closed after {took:.1f} s"


def declared_length(arena):
    """11 declared length 2^32-1."""
    before = arena.rss()
    for cls, kind in ((DATA, NOTICE), (CONTROL, PING), (DATA, 0x20)):
        data = frame(kind, cls=cls, method=SUBMIT if cls else 0, request=1, length=0xFFFFFFFF)
        violation(arena.client(), data, "2^32-1 bytes declared")
    early = arena.raw().secure()
    early.send(frame(HELLO, length=0xFFFFFFFF))
    early.goaway()  # returns when the node has closed
    early.close()
    with_room = [arena.client() for _ in range(16)]
    for peer in with_room:
        _, data = peer.request_frame(SUBMIT, bytes(60000))
        peer.send(data[:24])  # 60,000 bytes promised, none sent
    figure = arena.bounded(before, 2 * MIB, "promised lengths")
    for peer in with_room:
        peer.close()
    return figure


def half_finished(arena):
    """12 thousands of half-finished messages."""
    before = arena.rss()
    peer = arena.member()
    small = b"".join(frame(NOTICE, b"x", flags=0, cls=CONSENSUS, method=HEADER, request=number)
                     for number in range(1, 5001))
    violation(peer, small, "5,000 unfinished notices")
    peer = arena.member()
    sent = 0
    try:
        for number in range(1, 61):
            for chunk in range(15):
                peer.send(frame(NOTICE, bytes(CHUNK), flags=0, cls=DATA, method=BATCH, request=number,
                                chunk=chunk))
                sent += CHUNK
    except Closed:
        pass
    most = arena.bounded(before, MEMBER_BYTES, "unfinished batches")
    reason = peer.goaway()
    check(reason in (VIOLATION, None), f"GOAWAY {reason}")
    before = arena.rss()
    clients = []
    for _ in range(8):
        client = arena.client()
        clients.append(client)
        try:
            for _ in range(8):
                client.send(unfinished(client.next_id, MIB - 16))
                client.next_id += 2
        except Closed:
            pass
    figure = arena.bounded(before, 8 * CLIENT_BYTES, "unfinished submissions")
    for client in clients:
        client.close()
    return f"{most} with {sent / MIB:.0f} MiB sent by a member; {figure} with 64 MiB of 8 clients"


def unfinished(number, size):
    """A request of `size` bytes without its last chunk."""
    data = pack([20_000, bytes(size)])
    chunks = range(0, len(data) - CHUNK, CHUNK)
    return b"".join(frame(0x20, data[at:at + CHUNK], flags=0, cls=DATA, method=SUBMIT, request=number,
                          chunk=at // CHUNK) for at in chunks)


def unknown_bits(arena):
    """13 unknown type or reserved bits."""
    before = arena.rss()
    wrong = {
        "unknown type": frame(0x40),
        "reserved bits": frame(PING, reserved=1),
        "unknown flags": frame(NOTICE, b"x", flags=LAST | 0x80, cls=DATA, method=BATCH, request=1),
        "unknown class": frame(NOTICE, b"x", cls=9, method=BATCH, request=1),
        "unknown version": frame(PING, version=2),
        "a ping with a body": frame(PING, b"x"),
        "a second hello": frame(HELLO, b"\x90"),
        "a chunk out of nowhere": frame(0x20, b"x", flags=0, cls=DATA, method=SUBMIT, request=1, chunk=7),
        "a notice of a client": frame(NOTICE, b"x", cls=DATA, method=BATCH, request=1),
    }
    for what, data in wrong.items():
        violation(arena.client(), data, what)
    return f"{len(wrong)} ways, each GOAWAY {VIOLATION}; {arena.bounded(before, MIB, 'wrong frames')}"


def refused(arena, bodies):
    """Each body is answered MALFORMED and the connection goes on. Whoever sends four of them is banned, so
    each comes from another client."""
    before = arena.rss()
    transaction = put_bytes("hostile", "x")
    for what, body in bodies.items():
        with arena.client() as peer:
            answer = peer_ask(peer, body)
            check(answer == MALFORMED, f"{what}: {answer!r}, not MALFORMED")
            answer = peer_ask(peer, submission(transaction))
            check(isinstance(answer, bytes), f"a right request after {what}: error {answer}")
    return f"{len(bodies)} ways, each MALFORMED; " + arena.bounded(before, 4 * MIB, "malformed requests")


def peer_ask(peer, body):
    """Sends a request of any length in chunks; the reply or the number of the error."""
    data = pack([20_000, body])
    number = peer.next_id
    peer.next_id += 2
    for at in range(0, len(data), CHUNK):
        last = LAST if at + CHUNK >= len(data) else 0
        peer.send(frame(0x20, data[at:at + CHUNK], flags=last, cls=DATA, method=SUBMIT, request=number,
                        chunk=at // CHUNK))
    return peer.reply(number)


def bombs(arena):
    """14 msgpack depth, count and empty-array bombs."""
    many = MIB - 64
    return refused(arena, {
        "depth": b"\x91" * many,
        "depth below a right head": b"\x92\x00\x91" + b"\x91" * many,
        "count": b"\xdd\xff\xff\xff\xff",
        "count below a right head": b"\x92\x00\xdd\xff\xff\xff\xff",
        "binary": b"\x92\x00\x91\xc6\xff\xff\xff\xff",
        "empty arrays": b"\xdd" + struct.pack(">I", many) + b"\x90" * many,
        "empty arrays below a right head": b"\x92\x00\xdc\xff\xff" + b"\x90" * 0xFFFF,
        "text": b"\x92\x00\xdb\xff\xff\xff\xff",
    })


def trailing(arena):
    """15 trailing bytes."""
    good = submission(put_bytes("trailing", "x"))
    return refused(arena, {"a byte": good + b"\0", "the same twice": good * 2, "a nil": good + b"\xc0",
                           "nothing at all": b"", "cut off": good[:-1]})


def a_map(arena):
    """16 a map, and other types that the protocol does not have."""
    inner = binary(put_bytes("map", "x"))
    return refused(arena, {
        "a map": b"\x81\x00" + inner,
        "a map as a field": b"\x92\x00\x81\x00" + inner,
        "a float": b"\x92\xcb" + bytes(8) + b"\x91" + inner,
        "an extension": b"\x92\x00\xd4\x01\x00",
        "a negative number": b"\x92\xff\x91" + inner,
        "text for binary": b"\x92\x00\x91\xa1x",
        "a field more": b"\x93\x00\x91" + inner + b"\x00",
    })


def zstd(stated, written):
    """A frame that states `stated` bytes and holds one run of `written` zero bytes."""
    block = 1 | 1 << 1 | written << 3
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", stated) + struct.pack("<I", block)[:3] + b"\x00"


def compression_bomb(arena):
    """17 compression bomb."""
    before = arena.rss()
    wrong = {
        "ratio": zstd(CHUNK, CHUNK),
        "4 GiB": zstd(0xFFFFFFFF, CHUNK),
        "more than stated": zstd(64, CHUNK),
        "less than stated": zstd(640, 64),
        "two frames": zstd(64, 64) * 2,
        "no frame": b"\x00" * 64,
    }
    for what, data in wrong.items():
        notice = frame(NOTICE, data, flags=LAST | ZSTD, cls=DATA, method=BATCH, request=1)
        violation(arena.member(), notice, what)
    peer = arena.client()
    _, request = peer.request_frame(SUBMIT, b"x", flags=LAST | ZSTD)
    violation(peer, request, "a compressed request")
    return f"{len(wrong) + 1} ways; {arena.bounded(before, MIB, 'compression bombs')}"


ROWS = [declared_length, half_finished, unknown_bits, bombs, trailing, a_map, compression_bomb]
BACKGROUND = [slow_frame]
