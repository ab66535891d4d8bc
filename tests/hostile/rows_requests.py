"""Rows 18 to 25: requests that a node does not owe an answer, and answers that it did not ask for."""

import itertools
import time

from harness import check, put_bytes, wait_until

import identity as ids
from arena import MIB, WITNESS
from insider import answer, asked, lure, notice, propose, quorum, voted
from pack import pack, unpack
from peer import (
    BANNED, BATCH, BATCH_ACK, BULK, CANCEL, DATA, ERROR, GET_BATCHES, GET_CERTIFICATES, GET_HIGHEST,
    GET_RANGE, INTERACTIVE, LAST, NOT_FOUND, NOTICE, PING, PONG, RATE_LIMITED, REQUEST, RESPONSE, SUBMIT,
    Closed, frame, own_pem,
)
from rows_frames import CHUNK, submission, violation

# What a reply with certificates may have, and the time that the node waits for one.
REPLY_BYTES = 8 * MIB
PATIENCE = 1.0
# After which it asks a second member for the same.
HEDGE = 0.2


def flood(peer, method, body, cls, width, refused):
    """Asks, `width` open at a time, until so many requests were refused and all others answered; (answers,
    all requests, the longest wait named in a refusal, none if the node ended it)."""
    answers, refusals, longest, sent = 0, 0, 0, 0
    deadline = time.monotonic() + 20
    while True:
        room = width - (sent - answers - refusals)
        if refusals >= refused:
            if room == width:
                return answers, sent, longest
        elif room >= width // 2:
            said = f"{answers} of {sent} requests were answered, {refusals} refused"
            check(time.monotonic() < deadline, said)
            try:
                peer.send(b"".join(peer.request_frame(method, body, cls=cls)[1] for _ in range(room)))
            except Closed:
                return answers, sent, None
            sent += room
        try:
            kind, flags, _, _, _, _, payload = peer.wanted(RESPONSE, ERROR)
        except Closed:
            return answers, sent, None
        answers += kind == RESPONSE and bool(flags & LAST)
        if kind == ERROR:
            code, wait = unpack(payload)
            check(code == RATE_LIMITED and wait >= 1, f"error {code}, not {RATE_LIMITED}; wait {wait} ms")
            refusals += 1
            longest = max(longest, wait)


def request_flood(arena):
    """18 request flood."""
    before = arena.rss()
    found = []
    client = ids.Identity()
    # A member has 2,000 requests at once and as many a second, a client a quarter of that.
    floods = (
        ("client", arena.client(pem=own_pem(client)), SUBMIT, submission(put_bytes("flood", "x")), DATA, 48,
         500),
        ("member", arena.member(), GET_HIGHEST, pack([1]), INTERACTIVE, 16, 2000),
    )
    for who, peer, method, body, cls, width, rate in floods:
        begin = time.monotonic()
        answers, sent, wait = flood(peer, method, body, cls, width, refused=2000)
        took = time.monotonic() - begin
        most = rate * (1 + took) * 1.05 + width
        check(rate <= answers <= most, f"{answers} answers to a {who} in {took:.1f} s, {most:.0f} at most")
        arena.served()
        if who == "client":
            again = time.monotonic() + 30
            while wait is not None:  # a node that is too busy itself blames nobody
                check(time.monotonic() < again, "a client that floods is not banned")
                _, _, wait = flood(peer, method, body, cls, width, refused=2000)
            arena.becomes(["banned"], client.peer_id())
            again = arena.raw(pem=own_pem(client)).secure()
            check(again.goaway() == BANNED, "a banned client is not refused before its hello")
            again.close()
            found.append(f"{who}: {answers} of {sent} answered, then banned")
            continue
        again = time.monotonic() + 30
        while arena.standing()["band"] != "quarantined":
            check(time.monotonic() < again, f"a member that floods: {arena.standing()}")
            _, _, wait = flood(peer, method, body, cls, width, refused=2000)
        band = arena.becomes(["quarantined"])
        # Served again when the time has passed that the refusal names.
        deadline = time.monotonic() + wait / 1000 + 5
        while isinstance(peer.ask(method, body, cls=cls), int):
            check(time.monotonic() < deadline, f"a {who} that waits {wait} ms is not served again")
        peer.close()
        found.append(f"{who}: {answers} of {sent} answered, then {band}")
    return f"{', '.join(found)}, else RATE_LIMITED; {arena.bounded(before, 2 * MIB, 'a flood')}"


def begun(cls, method, numbers):
    """First chunks of requests, which stay open."""
    data = pack([20_000, bytes(100)])[:-1]
    return b"".join(frame(REQUEST, data, flags=0, cls=cls, method=method, request=number)
                    for number in numbers)


def window_overrun(arena):
    """19 window overrun."""
    windows = ((DATA, SUBMIT, 64), (INTERACTIVE, GET_HIGHEST, 16), (BULK, GET_RANGE, 4))
    for cls, method, window in windows:
        peer = arena.client() if cls == DATA else arena.member()
        peer.send(begun(cls, method, range(1, 2 * window, 2)) + frame(PING, request=1))
        check(peer.wanted(PONG), "no pong")
        violation(peer, begun(cls, method, [2 * window + 1]), f"request {window + 1} of class {cls}")
    arena.forgive()
    band = again_and_again(arena, begun(INTERACTIVE, GET_HIGHEST, range(1, 35, 2)), "a window overrun")
    arena.served()
    return f"closed at one more than {', '.join(str(window) for _, _, window in windows)}; {band}"


def again_and_again(arena, data, what):
    """Breaks a rule as a member until that costs the band: five points each time."""
    for _ in range(5):
        violation(arena.member(forgiven=False), data, what)
    return arena.becomes(["throttled"])


def request_ids(arena):
    """20 decreasing or duplicate ids."""
    wrong = {
        "a duplicate": [1, 1], "a lower one": [1, 5, 3], "one of the node's": [2], "zero": [0],
        "one more than the last": [2**64 - 1, 1],
    }
    for what, numbers in wrong.items():
        violation(arena.client(), begun(DATA, SUBMIT, numbers), f"id: {what}")
    # Answered and used again.
    peer = arena.client()
    number, data = peer.request_frame(SUBMIT, submission(put_bytes("id", "x")))
    peer.send(data)
    peer.reply(number)
    violation(peer, data, "an id used again")
    arena.forgive()
    band = again_and_again(arena, begun(INTERACTIVE, GET_HIGHEST, [5, 3]), "ids that fall")
    arena.served()
    return f"{len(wrong) + 1} ways, each a violation; {band}"


def unsolicited(arena):
    """21 unsolicited or foreign reply."""
    before = arena.rss()
    other = arena.member(arena.committee.address(WITNESS, "peer"))
    foreign, _ = lure(other, arena.signer)  # asked by another node

    def reply(size, method, number, **fields):
        fields = {"cls": INTERACTIVE, "method": method, "request": number, **fields}
        return frame(RESPONSE, bytes(size), **fields)

    wrong = {
        "a reply to nothing": reply(CHUNK, GET_CERTIFICATES, 2),
        "a reply to another node": reply(CHUNK, GET_CERTIFICATES, foreign),
        "a reply to its own request": reply(0, GET_HIGHEST, 1),
        "an error to nothing": frame(ERROR, pack([NOT_FOUND, 0]), method=GET_CERTIFICATES, request=2),
        "a reply that never ends": reply(CHUNK, GET_RANGE, 4, flags=0, cls=BULK),
    }
    for what, data in wrong.items():
        violation(arena.member(), data, what)
        violation(arena.client(), data, what)
    other.close()
    return f"{2 * len(wrong)} ways, each a violation; {arena.bounded(before, MIB, 'replies')}"


def oversized(arena):
    """22 oversized reply, reply of another method, class or order."""
    before = arena.rss()

    def wrong(what, *frames):
        peer = arena.member()
        number, _ = lure(peer, arena.signer)
        data = b"".join(frame(RESPONSE, payload, **{
            "flags": 0, "cls": INTERACTIVE, "method": GET_CERTIFICATES, "request": number, **fields,
        }) for payload, fields in frames)
        violation(peer, data, what)

    wrong("another method", (b"x", {"method": GET_RANGE}))
    wrong("another class", (b"x", {"cls": BULK}))
    wrong("in the middle", (b"x", {"chunk": 1}))
    wrong("a chunk twice", (b"x", {}), (b"x", {}))
    sent = 0
    peer = arena.member()
    number, _ = lure(peer, arena.signer)
    try:
        for chunk in range(8 * REPLY_BYTES // CHUNK):
            answer(peer, number, GET_CERTIFICATES, bytes(CHUNK), flags=0, chunk=chunk)
            sent += CHUNK
    except Closed:
        pass
    peer.goaway()  # returns when the node has closed; the reason may be lost with what it did not read
    peer.close()
    wait_until("the refusal in the log", lambda: "reply refused: message too large" in arena.ends())
    return (f"4 ways, each a violation; endless: refused while {sent / MIB:.0f} MiB were sent; " +
            arena.bounded(before, REPLY_BYTES, "oversized replies"))


def only_at_others(arena, victim):
    """A header whose batch the victim lacks and another holds. (digest, the request of the victim). The node
    asks the author first if it thinks well of it: what it thinks it looks at once a second, so that just
    after it was made to forgive it asks others."""
    deadline = time.monotonic() + 20
    while True:
        digest, _ = offered_to_others(arena, victim)
        try:
            return digest, asked(victim, GET_BATCHES, 2)[0]
        except TimeoutError:
            check(time.monotonic() < deadline, f"the node does not ask the author: {arena.standing()}")


def offered_to_others(arena, victim):
    """The same without waiting for a request. (digest, the batch)."""
    number, parents = quorum(victim, arena.signer)
    batch, entry = arena.signer.batch([put_bytes("withheld", "x" * 1000)], number)
    with arena.member(arena.committee.address(WITNESS, "peer"), forgiven=False) as holder:
        notice(holder, BATCH, batch)
        while holder.wanted(NOTICE)[3] != BATCH_ACK:
            pass
    return propose(victim, arena.signer, number + 1, parents, [entry]), batch


def withheld(arena):
    """23 withheld replies."""
    with arena.calm(), arena.member() as peer:
        digest, _ = only_at_others(arena, peer)
        begin = time.monotonic()
        voted(peer, digest)  # the node has the batch
        took = time.monotonic() - begin
    check(HEDGE * 0.9 < took < 10, f"the batch was there after {took:.1f} s")
    with arena.calm(), arena.member() as peer:
        band = lured_until_throttled(arena, peer, lambda request: None)
    return f"the batch came from others after {took:.2f} s; {band}"


def lured_until_throttled(arena, peer, reply):
    """Makes the node ask for certificates that do not exist, again and again, until it has had enough. Only
    the author of their header can have them, so it must be asked each time; a node that is too busy itself
    blames nobody for what takes long, and may go on for a while."""
    deadline = time.monotonic() + 90
    questions = 0
    while arena.standing()["band"] not in ("throttled", "quarantined"):
        said = f"the node goes on asking after {questions} questions: {arena.standing()}"
        check(time.monotonic() < deadline, said)
        reply(lure(peer, arena.signer)[0])
        questions += 1
    return f"{arena.becomes(['throttled', 'quarantined'])} after {questions} questions"


def endless(arena):
    """24 endless replies."""
    before = arena.rss()
    with arena.calm(), arena.member() as peer:
        digest, request = only_at_others(arena, peer)
        begin = time.monotonic()
        ended = []
        peer.sock.settimeout(0.1)
        for chunk in itertools.count():
            try:
                voted(peer, digest, lambda got: ended.append(got[:5:4]))
                break
            except TimeoutError:
                check(time.monotonic() - begin < 10, "the node waits for a reply that does not end")
                answer(peer, request, GET_BATCHES, bytes(1000), flags=0, chunk=chunk)
        took = time.monotonic() - begin
        peer.sock.settimeout(20)
        while (CANCEL, request) not in ended:
            ended.append(peer.wanted(CANCEL)[:5:4])
        # Certificates without end, none of which it asks for: it asks again, less and less often.
        request, wanted = lure(peer, arena.signer)
        useless = unpack(peer.ask(GET_RANGE, pack([1, 1, 0]), cls=BULK))[-1]
        asks, begin = 0, time.monotonic()
        while time.monotonic() - begin < 2:
            answer(peer, request, GET_CERTIFICATES, pack([1, 10**9, 1, 10**9, True, 1, 0, 1, useless]))
            asks += 1
            try:
                request, body = asked(peer, GET_CERTIFICATES, 2)
            except TimeoutError:
                break
            check(set(unpack(body)[0]) <= set(wanted), "the node asks for something else")
        band = lured_until_throttled(arena, peer, lambda request: answer(
            peer, request, GET_CERTIFICATES, pack([1, 10**9, 1, 10**9, True, 1, 0, 1, useless])))
    check(asks <= 8, f"{asks} questions in 2 s for what does not come")
    figure = arena.bounded(before, MIB, "endless replies")
    return (f"the batch came from others after {took:.2f} s; {asks} useless questions in 2 s; {band}; "
            f"{figure}")


def mostly_wrong(arena):
    """25 one-in-ten-valid replies."""
    came, answered = 0, 0

    def reply(peer, got, batch):
        """To the node's request for the batch: every tenth time the batch, else another one."""
        nonlocal answered
        kind, _, _, method, request = got[:5]
        if kind != REQUEST:
            return
        if method != GET_BATCHES:
            peer.send(frame(ERROR, pack([NOT_FOUND, 0]), method=method, request=request))
            return
        answered += 1
        other, _ = arena.signer.batch([put_bytes("wrong", "x")], 1)
        given = batch if answered % 10 == 0 else other
        answer(peer, request, GET_BATCHES, pack([1, 10**9, 1, 10**9, False, 0, 0, 0, [given]]))

    with arena.calm(), arena.member() as peer:
        deadline = time.monotonic() + 90
        while arena.standing()["band"] not in ("throttled", "quarantined"):
            check(time.monotonic() < deadline, f"the node goes on asking: {arena.standing()}")
            digest, batch = offered_to_others(arena, peer)
            voted(peer, digest, lambda got, batch=batch: reply(peer, got, batch))
            came += 1
        band = arena.becomes(["throttled", "quarantined"])
        # What it lacks it gets without the one that it does not trust.
        digest, batch = offered_to_others(arena, peer)
        begin = time.monotonic()
        voted(peer, digest, lambda got: reply(peer, got, batch))
        took = time.monotonic() - begin
    check(took < 10, f"a batch was there after {took:.1f} s")
    return f"all of {came + 1} batches came from others, the last after {took:.2f} s; {band}"


ROWS = [request_flood, window_overrun, request_ids, unsolicited, oversized, withheld, endless, mostly_wrong]
BACKGROUND = []
