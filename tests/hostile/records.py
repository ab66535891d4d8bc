"""Peer records in canonical bytes, written from the network page: right ones, and what else is asked for."""

import struct
import time

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from insider import text
from peer import OBSERVER

HOUR = 3600


def record(identity, genesis, addresses, sequence=1, role=OBSERVER, issued=0, life=23 * HOUR, signer=None):
    """`issued` in seconds from now."""
    key = identity.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    begin = int((time.time() + issued) * 1e6)
    body = key + struct.pack("<Q", sequence) + genesis + struct.pack("<BI", role, len(addresses))
    body += b"".join(text(address) for address in addresses)
    body += struct.pack("<QQ", begin, begin + int(life * 1e6))
    return body + (signer or identity).key.sign(text("monodon.peer-record.v1") + body)
