"""Rows 26 to 28: lies about what a member holds and how far it is."""

import os
import time

from harness import check, wait_until

from arena import INSIDER, MIB, VICTIM
from insider import notice, propose, quorum, voted
from pack import pack, unpack
from peer import BULK, ERROR, GET_MISSING, GET_RANGE, HEADER, PRUNED, RESPONSE, frame
from rows_requests import only_at_others

FAR = 10**9
OTHERS = [(author, os.urandom(32)) for author in range(3)]


def undisturbed(arena, what):
    """The victim takes part in the committee's rounds and runs after no others."""
    status = arena.committee.status(VICTIM)
    check(status["ready"] and not status["reasons"], f"{what}: {status['state']} {status['reasons']}")
    check(status["highest_round"] < 10**6 and status["target_round"] <= status["highest_round"] + 2,
          f"{what}: target {status['target_round']}, highest {status['highest_round']}")
    arena.committee.wait_commit(VICTIM, status["commit"] + 1, seconds=10)


def claim_of(arena):
    members = arena.committee.status(VICTIM)["validators"]
    return next(member["claim_index"] for member in members if member["name"] == INSIDER)


def far_ahead(arena):
    """26 claims round 10^9."""
    before = arena.rss()
    with arena.member(changes={"holdings": ((1, FAR), (1, FAR))}) as peer:
        undisturbed(arena, "a hello with round 10^9")
        for number in range(FAR, FAR + 100):
            notice(peer, HEADER, arena.signer.header(number, OTHERS)[1])
        # Nobody is asked for what lies below such a round, and the node still votes for what is right.
        number, parents = quorum(peer, arena.signer)
        asked = []
        digest = propose(peer, arena.signer, number + 1, parents, committed=(FAR, os.urandom(32)))
        # But for the question that it has every few seconds, for whatever it may lack.
        voted(peer, digest, lambda got: got[3] == GET_MISSING or asked.append(got))
        check(not asked, f"the node asks because of a claim: {asked}")
        wait_until("the claim", lambda: claim_of(arena) == FAR)
        undisturbed(arena, "a header with commit 10^9")
        # Asked for what nobody has: an empty list, at once.
        reply = peer.ask(GET_RANGE, pack([FAR, 2 * FAR, 0]), cls=BULK)
        check(unpack(reply)[4:] == [False, 0, 0, 0, []], f"rounds above {FAR}: {reply[:50]!r}")
    return f"100 headers and a claim, no request; {arena.bounded(before, MIB, 'claims')}"


def high_then_low(arena):
    """27 claims high, then low."""
    highs = ((1, FAR), (1, FAR))
    lows = ((0, 0), (0, 0))
    votes = []
    for holdings, commit in ((highs, FAR + 1), (lows, 1), (highs, FAR - 1), (lows, 0)):
        with arena.member(changes={"holdings": holdings}) as peer:
            number, parents = quorum(peer, arena.signer)
            claimed = (commit, os.urandom(32) if commit else bytes(32))
            begin = time.monotonic()
            voted(peer, propose(peer, arena.signer, number + 1, parents, committed=claimed))
            votes.append(time.monotonic() - begin)
            undisturbed(arena, f"a claim of {holdings[0][1]} and {commit}")
            # A claim never falls, and one member's counts for nothing: less than the supporting share.
            check(claim_of(arena) >= FAR, f"the claim fell to {claim_of(arena)}")
    return f"voted within {max(votes):.2f} s each time, no pause"


def false_lowest(arena):
    """28 claims a false lowest round."""
    with arena.calm(), arena.member(changes={"holdings": ((FAR, FAR), (FAR, FAR))}) as peer:
        digest, request = only_at_others(arena, peer)
        begin = time.monotonic()
        peer.send(frame(ERROR, pack([PRUNED, FAR]), request=request))
        voted(peer, digest)  # another was asked, who has it
        took = time.monotonic() - begin
        check(took < 1.0, f"the node asked others after {took:.1f} s only")
        # The truth about ours: below what is held there is nothing but the lowest round.
        number, data = peer.request_frame(GET_RANGE, pack([0, 1, 0]), cls=BULK)
        peer.send(data)
        got = peer.wanted(ERROR, RESPONSE)
        check(got[0] == ERROR and got[4] == number, "round 0 was answered")
        undisturbed(arena, "a false lowest round")
    return f"the batch came from others after {took:.2f} s"


ROWS = [far_ahead, high_then_low, false_lowest]
BACKGROUND = []
