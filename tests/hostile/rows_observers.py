"""Row 39: observers, who may be anybody, at a validator that has places for 32 of them."""

import time

from harness import check, wait_until

from arena import MIB
from pack import pack
from peer import GET_HIGHEST, INTERACTIVE, NOTICE, CONSENSUS, OBSERVER, VIOLATION, VOTE, Closed, frame
from rows_requests import flood

PLACES = 32
PER_ADDRESS = 4
PER_NETWORK = 16
# A quarter of a member's.
RATE = 500
TOO_MANY = 12
MEMBER_WITHIN = 2.0


def observer(arena, source=None):
    """A connection of an observer that has been accepted."""
    peer = arena.raw(source)
    peer.greet(**arena.member_hello(role=OBSERVER, nonce=time.monotonic_ns()))
    return peer


def refused(arena, what, source=None):
    try:
        observer(arena, source).close()
    except Closed as error:
        check(f"GOAWAY [{TOO_MANY}]" in str(error), f"{what}: {error}")
        return
    check(False, f"{what} was admitted")


def all_places(arena):
    """39 observers take all slots."""
    before = arena.rss()
    crowded = "127.220.1.1"
    taken = [observer(arena, crowded) for _ in range(PER_ADDRESS)]
    refused(arena, "one more observer of an address", crowded)
    taken += [observer(arena, f"127.220.1.{2 + each}") for each in range(PER_NETWORK - PER_ADDRESS)]
    refused(arena, "one more observer of a /24", "127.220.1.99")
    taken += [observer(arena, f"127.220.2.{1 + each}") for each in range(PLACES - PER_NETWORK)]
    refused(arena, "one more observer", "127.220.3.1")
    begin = time.monotonic()
    with arena.member():
        took = time.monotonic() - begin
    check(took < MEMBER_WITHIN, f"a validator waited {took:.1f} s")
    arena.served()
    # From one of the places as many requests as it likes, from another what only members say.
    begin = time.monotonic()
    answers, sent, _ = flood(taken[-1], GET_HIGHEST, pack([1]), INTERACTIVE, 16, refused=1000)
    most = RATE * (1 + time.monotonic() - begin) * 1.05 + 16
    check(RATE <= answers <= most, f"{answers} answers to an observer, {most:.0f} at most")
    taken[-2].send(frame(NOTICE, pack([b"vote"]), cls=CONSENSUS, method=VOTE, request=1))
    check(taken[-2].goaway() == VIOLATION, "a vote of an observer was taken")
    for peer in taken:
        peer.close()
    # The places are free again.
    def admitted():
        try:
            observer(arena).close()
        except Closed:
            return False
        return True

    wait_until("a place for an observer", admitted)
    return (f"a validator came in {took:.2f} s; {answers} of {sent} requests answered; "
            f"{arena.bounded(before, 4 * MIB, 'observers')}")


ROWS = [all_places]
BACKGROUND = []
