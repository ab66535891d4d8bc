"""What a member signs and what the others send it, in canonical bytes written from the consensus page; and
how to make a node ask for something."""

import hashlib
import os
import struct
import time

from harness import wait_until

from pack import pack, unpack
from peer import (
    BATCH, BULK, CANCEL, CONSENSUS, DATA, ERROR, GET_CERTIFICATES, GET_HIGHEST, GET_RANGE, HEADER,
    INTERACTIVE, LAST, NOT_FOUND, NOTICE, REQUEST, RESPONSE, VOTE, frame,
)

# Of its rounds a node believes headers that are 128 ahead.
AHEAD = 100


def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data


class Certificate:
    """The slot and the digest of a certificate's header."""

    def __init__(self, chain, data):
        _, self.round, self.author, _, payload = struct.unpack_from("<QQHQI", data)
        at = 30 + 54 * payload
        parents, = struct.unpack_from("<I", data, at)
        end = at + 4 + 34 * parents + 40
        self.digest = hashlib.sha256(text("monodon.header.v1") + text(chain) + data[:end]).digest()


class Insider:
    """One member's key and place in the committee."""

    def __init__(self, identity, index, chain, epoch):
        self.identity = identity
        self.index = index
        self.chain = chain
        self.epoch = epoch
        self.batches = 0
        self.signed = 0  # the highest round of a header that was proposed

    def batch(self, transactions, sealed):
        """(its bytes, how a header names it)."""
        self.batches += 1
        data = struct.pack("<QHIQQQI", self.epoch, self.index, 0, 10**9 + self.batches, sealed, 0,
                           len(transactions))
        data += b"".join(struct.pack("<I", len(each)) + each for each in transactions)
        digest = hashlib.sha256(text("monodon.batch.v1") + text(self.chain) + data).digest()
        entry = digest + struct.pack("<HIQII", self.index, 0, sealed, len(data), len(transactions))
        return data, entry

    def header(self, number, parents, payload=(), committed=(0, bytes(32))):
        """(digest, signed bytes). `parents` as pairs of author and digest, in any order."""
        body = struct.pack("<QQHQ", self.epoch, number, self.index, 0)
        body += struct.pack("<I", len(payload)) + b"".join(payload)
        body += struct.pack("<I", len(parents))
        body += b"".join(struct.pack("<H", author) + digest for author, digest in sorted(parents))
        body += struct.pack("<Q", committed[0]) + committed[1]
        digest = hashlib.sha256(text("monodon.header.v1") + text(self.chain) + body).digest()
        statement = text("monodon.proposal.v1") + text(self.chain)
        statement += struct.pack("<QQH", self.epoch, number, self.index) + digest
        return digest, body + self.identity.key.sign(statement)


def notice(peer, method, data):
    """Sends a header or a batch."""
    peer.notices += 1
    payload = pack([data])
    cls = DATA if method == BATCH else CONSENSUS
    chunks = range(0, len(payload), 65536)
    peer.send(b"".join(
        frame(NOTICE, payload[at:at + 65536], flags=at + 65536 >= len(payload), cls=cls, method=method,
              request=peer.notices, chunk=at // 65536) for at in chunks))


def propose(peer, insider, number, parents, payload=(), committed=(0, bytes(32))):
    """Sends a header to the node; its digest."""
    digest, header = insider.header(number, parents, payload, committed)
    insider.signed = max(insider.signed, number)
    notice(peer, HEADER, header)
    return digest


def highest(peer):
    """[nonce, lowest and highest round, oldest and newest commit, a certificate, the newest own header]."""
    return unpack(peer.ask(GET_HIGHEST, pack([1]), cls=INTERACTIVE))


def quorum(peer, insider):
    """(round, pairs of author and digest) of the newest round of which the node holds a quorum of four, not
    below the last header of the insider: the node looks at no lower ones."""
    def newest():
        top = highest(peer)[2]
        *_, found = unpack(peer.ask(GET_RANGE, pack([max(1, top - 1), top, 0]), cls=BULK))
        by_round = {}
        for each in found:
            certificate = Certificate(insider.chain, each)
            by_round.setdefault(certificate.round, []).append((certificate.author, certificate.digest))
        whole = [number for number, pairs in by_round.items()
                 if len(pairs) >= 3 and number >= insider.signed]
        return (max(whole), by_round[max(whole)]) if whole else None

    return wait_until(f"a quorum of certificates of round {insider.signed}", newest)


def lure(peer, insider):
    """Makes the node ask for certificates that do not exist, the parents of a signed header. (id of the
    request, the digests it asks for)."""
    def top():
        found = highest(peer)[2]
        return found if found >= insider.signed - AHEAD else None

    number = max(wait_until(f"round {insider.signed - AHEAD}", top), insider.signed) + 1
    invented = [(author, os.urandom(32)) for author in range(3)]
    propose(peer, insider, number, invented)
    request, body = asked(peer, GET_CERTIFICATES)
    return request, unpack(body)[0]


def asked(peer, method, seconds=20.0):
    """(id, body) of the next request of the node by this method; to others nothing is found. TimeoutError if
    it does not come in this time, whatever else comes."""
    deadline = time.monotonic() + seconds
    patience = peer.sock.gettimeout()
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the node does not ask by method {method} within {seconds} s")
            peer.sock.settimeout(left)
            kind, _, _, got, number, _, payload = peer.wanted(REQUEST, NOTICE)
            if kind != REQUEST:
                continue
            if got == method:
                return number, unpack(payload)[1]
            peer.send(frame(ERROR, pack([NOT_FOUND, 0]), method=got, request=number))
    finally:
        peer.sock.settimeout(patience)


def answer(peer, number, method, data, flags=LAST, chunk=0, cls=INTERACTIVE):
    peer.send(frame(RESPONSE, data, flags=flags, cls=cls, method=method, request=number, chunk=chunk))


def voted(peer, digest, others=None):
    """Waits for the node's vote for a header; `others` gets the frames before it."""
    while True:
        got = peer.wanted(NOTICE, REQUEST, CANCEL)
        if got[0] == NOTICE and got[3] == VOTE and digest in got[6]:
            return
        if others and got[0] != NOTICE:
            others(got)
