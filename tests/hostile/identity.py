"""Identities and certificates of the libp2p TLS specification, right and wrong ones."""

import base64
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat,
)
from cryptography.x509.oid import NameOID

EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
KEY_PREFIX = bytes([0x08, 0x01, 0x12, 0x20])
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def element(tag, content):
    """DER, for contents below 64 KiB."""
    size = len(content)
    if size < 0x80:
        head = bytes([size])
    elif size < 0x100:
        head = bytes([0x81, size])
    else:
        head = b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + head + content


class Identity:
    """An Ed25519 key; a new one if no seed is given."""

    def __init__(self, seed=None):
        make = ed25519.Ed25519PrivateKey
        self.key = make.from_private_bytes(seed) if seed else make.generate()

    @staticmethod
    def of_home(home):
        return Identity(bytes.fromhex((home / "key").read_text().strip()))

    def libp2p_key(self):
        return KEY_PREFIX + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def peer_id(self):
        value = int.from_bytes(b"\x00\x24" + self.libp2p_key(), "big")
        letters = ""
        while value:
            value, rest = divmod(value, 58)
            letters = ALPHABET[rest] + letters
        return "1" + letters  # the leading zero byte

    def claim(self, public_key_info, prefix=b"libp2p-tls-handshake:"):
        """The extension's content: this identity vouches for the certificate's key."""
        signature = self.key.sign(prefix + public_key_info)
        return element(0x30, element(0x04, self.libp2p_key()) + element(0x04, signature))


def info_of(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate(identity, key, claim=None, begin=-1, end=30, critical_stranger=False):
    """A self-signed certificate; `begin` and `end` in days from now. `claim` replaces the right one, an empty
    one leaves the extension out."""
    now = datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hostile")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begin))
        .not_valid_after(now + datetime.timedelta(days=end))
    )
    content = identity.claim(info_of(key)) if claim is None else claim
    if content:
        builder = builder.add_extension(x509.UnrecognizedExtension(EXTENSION, content), critical=False)
    if critical_stranger:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.53594.9.9")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x05\x00"), critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest)


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def p384():
    return ec.generate_private_key(ec.SECP384R1())


def rsa_key():
    return rsa.generate_private_key(65537, 2048)


def pem(certificates, key):
    """What a TLS library loads: the key, then the chain."""
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def stolen_pem(der):
    """Somebody else's certificate with a key of our own that claims to be its key: OpenSSL compares the
    public half that stands in the file, and signs with the private half."""
    theirs = x509.load_der_x509_certificate(der)
    point = theirs.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secret = p256().private_numbers().private_value.to_bytes(32, "big")
    curve = bytes.fromhex("06082a8648ce3d030107")
    body = (b"\x02\x01\x01" + element(0x04, secret) + element(0xA0, curve) +
            element(0xA1, element(0x03, b"\x00" + point)))
    lines = base64.encodebytes(element(0x30, body)).decode()
    key = f"-----BEGIN EC PRIVATE KEY-----\n{lines}-----END EC PRIVATE KEY-----\n"
    return key.encode() + theirs.public_bytes(Encoding.PEM)


def extension_of(der):
    """The claim that somebody else's certificate carries."""
    theirs = x509.load_der_x509_certificate(der)
    return theirs.extensions.get_extension_for_oid(EXTENSION).value.value
