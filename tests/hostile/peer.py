"""A peer that shares no code with the node: TLS by Python's ssl on memory, frames by struct, msgpack by
pack.py. It does what it is told, right or wrong."""

import os
import socket
import ssl
import struct
import tempfile
import time

import identity as ids
from pack import pack, unpack

HELLO, HELLO_ACK, PING, PONG, GOAWAY = 0x01, 0x02, 0x10, 0x11, 0x12
REQUEST, RESPONSE, ERROR, CANCEL, NOTICE = 0x20, 0x21, 0x22, 0x23, 0x30
CONTROL, CONSENSUS, INTERACTIVE, DATA, BULK = range(5)
LAST, ZSTD = 1, 2
HEADER, VOTE, CERTIFICATE, BATCH, BATCH_ACK = range(1, 6)
GET_CERTIFICATES, GET_RANGE, GET_BATCHES, GET_HIGHEST, GET_MISSING = 32, 34, 35, 36, 37
GET_PEERS, SUBMIT = 42, 44
MEMBER, OBSERVER, CLIENT = range(3)
MALFORMED, TOO_LARGE, NOT_FOUND, PRUNED, BUSY, RATE_LIMITED, CANCELLED = 1, 3, 4, 5, 6, 7, 9
WRONG_CHAIN, WRONG_GENESIS, WRONG_EPOCH, WRONG_COMMITTEE = 2, 3, 4, 5
NOT_A_MEMBER, DUPLICATE, INVALID_HELLO, VIOLATION, BANNED = 7, 11, 13, 14, 17

ALERTS = {
    "HANDSHAKE_FAILURE": 40, "BAD_CERTIFICATE": 42, "UNSUPPORTED_CERTIFICATE": 43, "CERTIFICATE_EXPIRED": 45,
    "CERTIFICATE_UNKNOWN": 46, "ILLEGAL_PARAMETER": 47, "DECRYPT_ERROR": 51, "PROTOCOL_VERSION": 70,
    "CERTIFICATE_REQUIRED": 116,
}


class Closed(Exception):
    """The node has ended the connection. `alert` is the number of its alert, None without one."""

    def __init__(self, alert=None, why=""):
        super().__init__(why or f"closed, alert {alert}")
        self.alert = alert


def alert_of(error, record):
    # Before the keys are agreed it is sent in the clear, and Python has no name for some of them.
    if len(record) == 7 and record[0] == 0x15:
        return record[6]
    reason = str(error.reason or "")
    for name, code in ALERTS.items():
        if reason.endswith("ALERT_" + name):
            return code
    return None


def frame(kind, payload=b"", flags=LAST, cls=CONTROL, method=0, request=0, chunk=0, version=1, reserved=0,
          length=None):
    size = len(payload) if length is None else length
    head = struct.pack(">BBBBHHQII", version, kind, flags, cls, method, reserved, request, chunk, size)
    return head + payload


def context(pem, alpn="monodon/1", version=None, server=False):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    if alpn:
        made.set_alpn_protocols([alpn])
    if pem:
        with tempfile.NamedTemporaryFile() as file:
            file.write(pem)
            file.flush()
            made.load_cert_chain(file.name)
    return made


def own_pem(identity):
    key = ids.p256()
    return ids.pem([ids.certificate(identity, key)], key)


class Peer:
    """One connection. `source` is the loopback address that it comes from, so that what one test does to its
    address is not held against another."""

    def __init__(self, address, source="127.0.0.1", pem=None, tls=None, patience=20.0, buffer=None):
        host, port = address.rsplit(":", 1)
        self.sock = socket.socket()
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.settimeout(patience)
        self.sock.bind((source, 0))
        self.sock.connect((host, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.speak(tls or context(pem or own_pem(ids.Identity())))

    def speak(self, tls, server=False):
        """From now on TLS, as the one who dialled or as the one who was."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.context = tls
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_side=server)
        self.buffer = bytearray()
        self.last_read = b""
        self.next_id = 1
        self.notices = 0

    # ---- bytes

    def flush(self):
        data = self.outgoing.read()
        if data:
            try:
                self.sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError) as error:
                raise Closed(why=str(error)) from error

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError as error:
            raise Closed(why="reset") from error
        if not data:
            raise Closed(why="end of stream")
        self.last_read = data
        self.incoming.write(data)

    def step(self, action):
        """An action of TLS until it is done."""
        while True:
            try:
                done = action()
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            except ssl.SSLError as error:
                raise Closed(alert_of(error, self.last_read), str(error)) from error

    def secure(self):
        self.step(self.tls.do_handshake)
        return self

    def first_flight(self):
        """The ClientHello, not sent."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def record(self, data):
        """Encrypted, not sent."""
        for at in range(0, len(data), 16384):
            self.tls.write(data[at:at + 16384])
        return self.outgoing.read()

    def send(self, data):
        try:
            self.sock.sendall(self.record(data))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(why=str(error)) from error

    def read(self):
        data = self.step(lambda: self.tls.read(65536))
        if not data:
            raise Closed(why="closed in order")
        self.buffer += data

    # ---- frames

    def receive(self):
        """The next frame as (kind, flags, class, method, request, chunk, payload)."""
        while True:
            if len(self.buffer) >= 24:
                fields = struct.unpack(">BBBBHHQII", self.buffer[:24])
                version, kind, flags, cls, method, reserved, request, chunk, size = fields
                if version != 1 or reserved != 0 or size > 65536:
                    raise ValueError("the node sent a bad frame header")
                if len(self.buffer) >= 24 + size:
                    payload = bytes(self.buffer[24:24 + size])
                    del self.buffer[:24 + size]
                    return kind, flags, cls, method, request, chunk, payload
            self.read()

    def wanted(self, *kinds):
        """The next frame of these kinds; pings are answered, anything else is read over."""
        while True:
            got = self.receive()
            if got[0] in kinds:
                return got
            if got[0] == PING:
                self.send(frame(PONG, request=got[4]))
            if got[0] == GOAWAY:
                raise Closed(why=f"GOAWAY {unpack(got[6])}")

    def goaway(self):
        """Reads to the end; the reason of the GOAWAY, None without one."""
        reason = None
        try:
            while True:
                got = self.receive()
                if got[0] == GOAWAY:
                    reason = unpack(got[6])[0]
        except Closed:
            return reason

    def goaway_within(self, seconds):
        """The reason of the GOAWAY that comes in this time, None if there is none and the connection goes
        on."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.sock.settimeout(max(0.01, deadline - time.monotonic()))
                got = self.receive()
                if got[0] == GOAWAY:
                    return unpack(got[6])[0]
        except TimeoutError:
            return None

    def hello(self, chain="", genesis=bytes(32), epoch=0, committee=bytes(32), role=CLIENT, nonce=4711,
              holdings=((0, 0), (0, 0)), peers=False):
        # Who does not list GetPeers is not asked for it in the middle of something else.
        methods = [[number, 1] for number in (*range(1, 7), *range(32, 45)) if peers or number != GET_PEERS]
        return pack([[1, 1], chain, genesis, epoch, committee, role, "hostile", methods,
                     [64, 16, 4, 16 << 20], b"", "127.0.0.1:1", nonce, *map(list, holdings)])

    def greet(self, **fields):
        """HELLO to HELLO_ACK, whose fields are returned; raises Closed with the reason if refused."""
        self.secure()
        self.send(frame(HELLO, self.hello(**fields)))
        kind, *_, payload = self.receive()
        if kind == GOAWAY:
            raise Closed(why=f"GOAWAY {unpack(payload)}")
        self.ack = unpack(payload)
        return self.ack

    def request_frame(self, method, body, cls=DATA, deadline=20_000, **fields):
        number = self.next_id
        self.next_id += 2
        payload = pack([deadline, body])
        return number, frame(REQUEST, payload, cls=cls, method=method, request=number, **fields)

    def ask(self, method, body, cls=DATA):
        """The whole reply, or the number of its error."""
        number, data = self.request_frame(method, body, cls)
        self.send(data)
        return self.reply(number)

    def reply(self, number):
        parts = b""
        while True:
            kind, flags, _, _, request, _, payload = self.wanted(RESPONSE, ERROR)
            if request != number:
                continue
            if kind == ERROR:
                return unpack(payload)[0]
            parts += payload
            if flags & LAST:
                return parts

    def close(self):
        self.sock.close()


def ended(sock, seconds):
    """Seconds until the node ends a raw connection; None if it has not by then."""
    begin = time.monotonic()
    try:
        while True:
            sock.settimeout(max(0.01, seconds - (time.monotonic() - begin)))
            if not sock.recv(65536):
                break
    except ConnectionResetError:
        pass
    except TimeoutError:
        return None
    return time.monotonic() - begin


def node_key(home):
    return ids.Identity.of_home(home)


def nonce():
    return int.from_bytes(os.urandom(7), "big")
