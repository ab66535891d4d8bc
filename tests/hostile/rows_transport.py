"""Rows 1 to 10: what comes before the HELLO has been accepted."""

import socket
import ssl
import threading
import time

from harness import check, wait_until

import identity as ids
from arena import INSIDER, WITNESS
from peer import Closed, Peer, context, ended, frame, own_pem, HELLO

# Above the budgets of 3, 5 and 5 s: a machine under load wakes late.
LATE = 3.0


def connect(address, source):
    host, port = address.rsplit(":", 1)
    sock = socket.socket()
    sock.bind((source, 0))
    sock.settimeout(10)
    sock.connect((host, int(port)))
    return sock


def trickle(sock, data, seconds=12.0, already=0.0, wrap=bytes):
    """One byte a second until the node ends the connection; after how long it did."""
    begin = time.monotonic() - already
    for at in range(len(data)):
        try:
            sock.sendall(wrap(data[at:at + 1]))
        except OSError:
            return time.monotonic() - begin
        if ended(sock, 1.0) is not None:
            return time.monotonic() - begin
        if time.monotonic() - begin > seconds:
            break
    return None


def on_budget(took, budget, what):
    check(took is not None, f"{what} was not closed")
    check(budget - 0.5 <= took <= budget + LATE, f"{what} was closed after {took:.1f} s, not {budget} s")


def dawdlers(arena):
    """1-2 silent connect; one byte a second in TLS and in the hello."""
    found = {}

    def silent(host):
        socks = [connect(arena.victim, host) for _ in range(4)]
        # The fifth of an address finds no place and is told at once.
        fifth = connect(arena.victim, host)
        found["fifth"] = ended(fifth, 2.0)
        found["silent"] = ended(socks[0], 10.0)
        for sock in socks[1:]:
            check(ended(sock, LATE) is not None, "a silent connection was not closed")
        try:
            arena.client(host).close()
            found["slot"] = True
        except (Closed, OSError) as error:
            found["slot"] = str(error)

    def in_tls():
        peer = arena.raw()
        found["tls"] = trickle(peer.sock, peer.first_flight())
        peer.close()

    def in_hello():
        peer = arena.raw().secure()
        begin = time.monotonic()
        data = peer.record(frame(HELLO, peer.hello()))
        found["hello"] = trickle(peer.sock, data, already=time.monotonic() - begin)
        peer.close()

    host = arena.host()
    threads = [threading.Thread(target=silent, args=(host,)), threading.Thread(target=in_tls),
               threading.Thread(target=in_hello)]
    for thread in threads:
        thread.start()
    waited = max(arena.served() for _ in range(5))
    for thread in threads:
        thread.join()
    on_budget(found.get("silent"), 3, "a silent connection")
    on_budget(found.get("tls"), 5, "a slow handshake")
    on_budget(found.get("hello"), 5, "a slow hello")
    check(found["fifth"] is not None, "a fifth half-open connection of an address was admitted")
    check(found["slot"] is True, f"the slots were not freed: {found['slot']}")
    return (f"closed after {found['silent']:.1f}, {found['tls']:.1f} and {found['hello']:.1f} s; "
            f"others waited at most {waited:.2f} s")


def hello_flood(arena):
    """4 ClientHello flood from one address."""
    flooder = arena.raw()
    flight = flooder.first_flight()
    flooder.close()
    host = arena.host()
    stop = threading.Event()
    count = [0]

    def flood():
        held = []
        while not stop.is_set():
            try:
                sock = connect(arena.victim, host)
                sock.sendall(flight)
                held.append(sock)
                count[0] += 1
            except OSError:
                pass
            if len(held) > 50:
                held.pop(0).close()
            stop.wait(0.001)  # so that the honest one, in the same process, has its turn
        for sock in held:
            sock.close()

    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    took = []
    try:
        wait_until("a flood", lambda: count[0] > 500)
        for _ in range(3):
            begin = time.monotonic()
            member = arena.member()
            took.append(time.monotonic() - begin)
            member.close()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    check(max(took) < 2.0, f"a validator needed {max(took):.1f} s to connect")
    return f"{count[0]} ClientHellos, a validator connected within {max(took):.2f} s"


def refusal_of(arena, tls):
    """The alert with which the node ends a handshake; None if it closes without one."""
    peer = arena.raw(tls=tls)
    try:
        peer.secure()
        # A client's handshake is over before the node has judged it.
        peer.read()
    except Closed as closed:
        return closed.alert
    finally:
        peer.close()
    check(False, "a handshake that must fail did not")
    return None


def no_certificate(arena):
    """5 no certificate."""
    alert = refusal_of(arena, context(None))
    check(alert == 116, f"alert {alert}, not 116")
    return "alert 116"


def old_tls(arena):
    """6 TLS 1.2."""
    alert = refusal_of(arena, context(own_pem(ids.Identity()), version=ssl.TLSVersion.TLSv1_2))
    check(alert == 70, f"alert {alert}, not 70")
    return "alert 70"


def wrong_alpn(arena):
    """7 wrong or no ALPN."""
    pem = own_pem(ids.Identity())
    alert = refusal_of(arena, context(pem, alpn="monodon/2"))
    check(alert == 120, f"alert {alert}, not 120")
    peer = arena.raw(tls=context(pem, alpn=None)).secure()
    try:
        peer.send(frame(HELLO, peer.hello()))
        peer.receive()
        check(False, "a peer without ALPN was answered")
    except Closed:
        pass
    peer.close()
    return "alert 120; without ALPN closed after the handshake"


def bad_certificates(arena):
    """8 forged extension, two certificates, expired, wrong key type."""
    me, other, key = ids.Identity(), ids.Identity(), ids.p256()
    forged = me.claim(ids.info_of(ids.p256()))
    swapped = forged.replace(me.libp2p_key(), other.libp2p_key())
    small = b"\x08\x01\x12\x20" + bytes([1]) + bytes(31)  # the neutral point: no key of anybody
    wrong = {
        "forged extension": ([ids.certificate(me, key, forged)], key),
        "claim of another identity": ([ids.certificate(me, key, swapped)], key),
        "wrong prefix": ([ids.certificate(me, key, me.claim(ids.info_of(key), b"libp2p-tls:"))], key),
        "small-order identity": ([ids.certificate(me, key, ids.element(
            0x30, ids.element(4, small) + ids.element(4, bytes(64))))], key),
        "no extension": ([ids.certificate(me, key, b"")], key),
        "bytes after the claim": ([ids.certificate(me, key, me.claim(ids.info_of(key)) + b"\0")], key),
        "unknown critical extension": ([ids.certificate(me, key, critical_stranger=True)], key),
        "two certificates": ([ids.certificate(me, key), ids.certificate(me, key)], key),
        "expired": ([ids.certificate(me, key, begin=-3, end=-1)], key),
        "not yet valid": ([ids.certificate(me, key, begin=1)], key),
    }
    for name, make in (("P-384", ids.p384), ("RSA", ids.rsa_key)):
        odd = make()
        wrong[name] = ([ids.certificate(me, odd)], odd)
    seen = {name: refusal_of(arena, context(ids.pem(*each))) for name, each in wrong.items()}
    bad = {name: alert for name, alert in seen.items() if alert not in (42, 45, 46, 40)}
    check(not bad, f"not an alert about a certificate: {bad}")
    check(seen["expired"] == 45, f"expired: alert {seen['expired']}")
    return f"{len(seen)} certificates, alerts {sorted(set(seen.values()))}"


def somebody_else(arena):
    """9 valid certificate of somebody else."""
    honest = Peer(arena.committee.address(WITNESS, "peer"), arena.host()).secure()
    der = honest.tls.getpeercert(True)
    honest.close()
    alert = refusal_of(arena, context(ids.stolen_pem(der)))
    check(alert == 51, f"a certificate without its key: alert {alert}, not 51")
    key = ids.p256()
    copied = ids.certificate(ids.Identity(), key, ids.extension_of(der))
    alert = refusal_of(arena, context(ids.pem([copied], key)))
    check(alert == 42, f"a copied claim: alert {alert}, not 42")
    return "alert 51 without the key; alert 42 for the copied claim"


def resumption(arena):
    """10 session resumption."""
    tls = context(arena.insider_pem)
    first = arena.raw(tls=tls)
    first.greet(**arena.member_hello())
    session = first.tls.session
    check(session is None or not session.has_ticket, "the node gave out a session ticket")
    first.close()
    again = arena.raw(tls=tls)
    if session is not None:
        try:
            again.tls.session = session
        except ValueError:
            pass  # nothing in it that could be resumed
    again.secure()
    check(not again.tls.session_reused, "a session was resumed")
    check(again.tls.getpeercert(True), "no certificate was shown the second time")
    again.close()
    return f"no ticket, never resumed (as {INSIDER})"


BACKGROUND = []
ROWS = [dawdlers, hello_flood, no_certificate, old_tls, wrong_alpn, bad_certificates, somebody_else,
        resumption]
