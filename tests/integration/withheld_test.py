#!/usr/bin/env python3
"""A certificate that a validator needs is withheld by all its peers: `monodon why` names its digest, who
holds it, and what each of them answered. When somebody gives it nothing blocks any more.

v3 does not speak to v1, and v0 and v2 answer no request for certificates: what v1 certifies cannot come to
v3, while what v0 and v2 certify names it."""

import json
import sys

from harness import check, monodon, run, wait_until

GONE, SILENT, ASKER = "v1", ["v0", "v2"], "v3"
METHODS = "get_certificates,get_certificates_in_round,get_certificates_in_range,get_missing_certificates"


def why(committee):
    return json.loads(monodon("why", "--dir", committee.dir, "--node", ASKER, "-o", "json"))


def answers(missing):
    return {each["validator"]: each["answer"] for each in missing["asked"]}


def blocked(committee):
    """What v3 says once both that could answer were asked in vain for the lowest missing certificate."""
    found = why(committee)
    for missing in found["certificates"][:1]:
        said = answers(missing)
        if found["blocked"] and all(said.get(name) == "no answer in time" for name in SILENT):
            return found
    return None


def author_of(committee, digest, number):
    """Whose certificate of this round it is, as somebody says who has it."""
    rounds = committee.admin(GONE, f"/v1/dag?from={number}&to={number}")["rounds"]
    return [committee.names[each["author"]] for each in rounds[0]["vertices"]
            if digest.startswith(each["digest"])]


def test(committee):
    for_each = [("--node-set", f"{name}:debug.drop_outgoing={METHODS}") for name in SILENT]
    # It proposes nothing, or v1 would lack its certificates in the same way, and nobody would go on.
    for_each.append(("--node-set", f"{ASKER}:debug.drop_outgoing=header"))
    committee.up(*(word for words in for_each for word in words))
    committee.put(GONE, "before", "all is well")
    committee.admin(ASKER, f"/v1/peers/{GONE}/ban", "POST")
    found = wait_until("v3 to be blocked", lambda: blocked(committee))
    check(found["blocked"] and found["commit"] == found["ordered"] + 1, f"v3 says {found}")
    missing = found["certificates"][0]
    check(set(missing["holders"]) >= set(SILENT), f"holders of {missing}")
    check(GONE not in answers(missing), f"{GONE} was asked: {missing}")
    authors = author_of(committee, missing["digest"], missing["round"])
    check(authors == [GONE], f"{missing} is of {authors}")
    check(len(missing["digest"]) == 64, f"not a whole digest: {missing}")

    text = monodon("why", "--dir", committee.dir, "--node", ASKER)
    for words in (missing["digest"], "v0 ", "v2 ", "no answer in time", "commit "):
        check(words in text, f"no {words!r} in\n{text}")
    check(committee.status(ASKER)["commit"] < committee.status(GONE)["commit"], "nothing was withheld")

    committee.admin(ASKER, f"/v1/peers/{GONE}/unban", "POST")
    committee.wait_caught_up([GONE, ASKER])
    wait_until("nothing to block", lambda: not why(committee)["blocked"])
    committee.verify()
    print(f"v3 named {missing['digest'][:8]} of {GONE}, round {missing['round']}: {answers(missing)}")


sys.exit(run(test))
