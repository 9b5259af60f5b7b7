"""Clients and servers that misbehave at random, from a seed, and yet know what they may be told.

What an honest peer sends is made from the request's name, so that whoever gets it whole can tell whether it is his:
a response of another request, a body with bytes missing and yet an end, a request made of another one's body are seen.
"""
import random
import select
import socket
import threading
import time

from stack.patience import patient
from system.upstream import Client

HANG_SECONDS = patient(30)  # every timeout of lb is far shorter, so a client that waits for so long was forgotten
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n"
STOLEN = b"HTTP/1.1 200 OK\r\nX-Echo: stolen\r\nX-Size: 0\r\nContent-Length: 0\r\n\r\n"
GARBAGE = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
           b"\r\n" * 500, b"GET /\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"\0" * 3000, b"x" * 70_000,
           b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
           b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + SMUGGLED,
           b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000 + b"\r\n"]


def pattern(name, size):
    """The body that belongs to this name. Whoever loses count of it finds a request there."""
    piece = name.encode() + b"\r\n" + SMUGGLED
    return (piece * (size // len(piece) + 1))[:size]


def chunked(dice, body):
    out = []
    while body:
        size = dice.randint(1, max(1, len(body)))
        out.append(b"%x\r\n%s\r\n" % (size, body[:size]))
        body = body[size:]
    return b"".join(out) + b"0\r\n\r\n"


def reset(connection):
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def send_in_pieces(dice, connection, data):
    """At once, or cut anywhere, with pauses."""
    if dice.random() < 0.5:
        return connection.sendall(data)
    while data:
        size = dice.randint(1, len(data))
        connection.sendall(data[:size])
        data = data[size:]
        time.sleep(dice.choice((0, 0, 0.001, 0.02)))


class Findings:
    """What went wrong, from any thread."""

    def __init__(self):
        self.list = []
        self.counts = {}
        self.lock = threading.Lock()

    def add(self, text):
        with self.lock:
            self.list.append(text)

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1


# --- Servers ------------------------------------------------------------------------------------------------------


class ChaosServer:
    """What it does with a request depends on the seed, on the request's name and on its own."""

    def __init__(self, seed, name, findings):
        self.seed, self.name, self.findings = seed, name, findings
        self.is_calm = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            dice = random.Random(f"{self.seed}/{self.name}/{self.accepted}")
            if not self.is_calm and dice.random() < 0.05:
                reset(connection) if dice.random() < 0.5 else connection.close()
                continue
            connection.settimeout(HANG_SECONDS)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while self._serve_one(connection, stream):
                    pass
            except (OSError, ValueError):
                pass  # lb has left, or was left

    def _serve_one(self, connection, stream):
        head = stream.readline(100_000)
        while head and not head.endswith(b"\r\n\r\n"):
            line = stream.readline(100_000)
            if not line:
                return False
            head += line
        if not head:
            return False
        target = head.split(b" ")[1].decode("latin-1")
        if target == "/health":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return True
        if target == "/smuggled":
            self.findings.add(f"a request was made of a body: {head!r}")
        fields = {line.split(b": ", 1)[0].lower(): line.split(b": ", 1)[1] for line in head.split(b"\r\n")[1:] if b": " in line}
        name = target.lstrip("/")
        dice = random.Random(f"{self.seed}/{self.name}/{name}")
        act = "honest" if self.is_calm else dice.choices(*zip(*ACTS.items()))[0]
        if b"upgrade" in fields and act in ("honest", "pieces", "large"):
            return self._tunnel(dice, connection, name)
        if act != "early":
            if fields.get(b"expect") == b"100-continue" and dice.random() < 0.8:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._read_body(stream, fields, name)
        return getattr(self, "_" + act)(dice, connection, name, head.startswith(b"HEAD "))

    def _read_body(self, stream, fields, name):
        body = b""
        if b"transfer-encoding" in fields:
            while size := int(stream.readline().split(b";")[0], 16):
                piece = stream.read(size + 2)
                if len(piece) < size + 2:
                    raise OSError("cut")
                body += piece[:-2]
            while stream.readline() not in (b"\r\n", b""):
                pass
        elif b"content-length" in fields:
            wanted = int(fields[b"content-length"])
            body = stream.read(wanted)
            if len(body) < wanted:
                raise OSError("cut")
        if b"x-body" in fields and body != pattern(name, int(fields[b"x-body"])):
            self.findings.add(f"/{name}: a body of {len(body)} bytes came whole, and is not what was sent")

    def _response(self, dice, name, size, is_head, framing=None):
        body = pattern(name, size)
        framing = framing or dice.choice(("length", "length", "chunked"))
        head = b"HTTP/1.1 200 OK\r\nX-Echo: %s\r\nX-Size: %d\r\n" % (name.encode("latin-1"), size)
        if framing == "length":
            head += b"Content-Length: %d\r\n\r\n" % size
        elif framing == "chunked":
            head += b"Transfer-Encoding: chunked\r\n\r\n"
            body = chunked(dice, body)
        else:
            head += b"Connection: close\r\n\r\n"
        return head if is_head else head + body

    def _honest(self, dice, connection, name, is_head):
        connection.sendall(self._response(dice, name, dice.choice((0, 5, 3000)), is_head))
        return True

    def _pieces(self, dice, connection, name, is_head):
        if dice.random() < 0.3:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        send_in_pieces(dice, connection, self._response(dice, name, dice.randint(0, 100_000), is_head))
        return True

    def _large(self, dice, connection, name, is_head):
        connection.sendall(self._response(dice, name, dice.randint(500_000, 3_000_000), is_head))
        return True

    def _to_the_end(self, dice, connection, name, is_head):
        connection.sendall(self._response(dice, name, dice.choice((0, 3000, 200_000)), is_head, "end"))
        return False

    def _early(self, dice, connection, name, is_head):
        connection.sendall(self._response(dice, name, 10, is_head, "length"))
        if dice.random() < 0.5:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
        elif dice.random() < 0.5:
            reset(connection)
        return False

    def _cut(self, dice, connection, name, is_head):
        whole = self._response(dice, name, dice.choice((10, 3000, 200_000)), False)
        send_in_pieces(dice, connection, whole[:dice.randint(0, len(whole) - 1)])
        if dice.random() < 0.5:
            reset(connection)
        return False

    def _reset(self, dice, connection, name, is_head):
        connection.sendall(self._response(dice, name, dice.choice((10, 200_000)), is_head, "end" if dice.random() < 0.5 else None))
        reset(connection)
        return False

    def _stall(self, dice, connection, name, is_head):
        whole = self._response(dice, name, 3000, False)
        connection.sendall(whole[:dice.choice((0, 0, 20, len(whole) - 10))])
        connection.settimeout(2)
        connection.recv(1)  # until lb has had enough
        return False

    def _garbage(self, dice, connection, name, is_head):
        whole = bytearray(self._response(dice, name, 100, is_head))
        if dice.random() < 0.3:
            whole = bytearray(dice.choice(GARBAGE))
        else:
            del whole[whole.index(b"X-Echo"):whole.index(b"X-Size")]
            end = whole.index(b"\r\n\r\n")
            for _ in range(dice.randint(1, 5)):
                whole[dice.randrange(end)] = dice.randrange(256)
            whole = whole.replace(b"X-Size", b"X-Sour")  # who knows what it says now
        connection.sendall(whole)
        return dice.random() < 0.5

    def _more_than_asked(self, dice, connection, name, is_head):
        connection.sendall(self._response(dice, name, 10, is_head) + STOLEN)
        return True

    def _failing(self, dice, connection, name, is_head):
        connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % dice.choice((500, 502, 503, 504)))
        return True

    def _tunnel(self, dice, connection, name):
        connection.sendall(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Echo: %s\r\n\r\n" % name.encode())
        while True:
            data = connection.recv(1 << 16)
            if not data:
                return False
            connection.sendall(data)
            fate = dice.random()
            if fate < 0.03:
                reset(connection)
                return False
            if fate < 0.06:
                connection.shutdown(socket.SHUT_WR)
            if fate > 0.97:
                return False

    def close(self):
        self.listener.close()


ACTS = {"honest": 30, "pieces": 10, "large": 6, "to_the_end": 5, "early": 5, "cut": 12, "reset": 6, "stall": 3,
        "garbage": 8, "more_than_asked": 6, "failing": 6}


# --- Clients ------------------------------------------------------------------------------------------------------


class ChaosClient:
    """One act after the other until `until`; each on a connection of its own."""

    def __init__(self, seed, number, port, findings):
        self.name = f"c{number}"
        self.dice = random.Random(f"{seed}/{self.name}")
        self.port = port
        self.source = f"127.0.0.{2 + number % 6}"
        self.findings = findings
        self.made = 0

    def run(self, until):
        while time.monotonic() < until:
            act = self.dice.choices(*zip(*CLIENT_ACTS.items()))[0]
            began = time.monotonic()
            client = None
            try:
                client = self._connect(small=act == "slow_reader")
                getattr(self, "_" + act)(client)
                self.findings.count(act)
            except TimeoutError:
                self.findings.add(f"{self.name}: {act}: lb left its client without a word for {time.monotonic() - began:.0f} s")
            except (OSError, EOFError):
                self.findings.count(act + ", ended by lb")
            except Exception as problem:  # noqa: BLE001 what cannot be read is as bad as what is wrong
                self.findings.add(f"{self.name}: {act}: {problem!r}")
            finally:
                if client is not None:
                    client.close()

    def _connect(self, small):
        client = Client.__new__(Client)
        client.socket = socket.socket()
        client.socket.settimeout(HANG_SECONDS)
        if small:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.socket.bind((self.source, 0))
        client.socket.connect(("127.0.0.1", self.port))
        client.stream = client.socket.makefile("rb")
        return client

    def _request(self, extra="", method=None, version="1.1"):
        """Name, method and bytes of an honest request."""
        self.made += 1
        name = f"{self.name}-{self.made}"
        method = method or self.dice.choice(("GET", "GET", "GET", "HEAD", "POST", "PUT"))
        head = f"{method} /{name} HTTP/{version}\r\nHost: chaos\r\n{extra}"
        if method in ("GET", "HEAD"):
            return name, method, (head + "\r\n").encode()
        size = self.dice.choice((0, 1, 2000, 90_000, 300_000))
        head += f"X-Body: {size}\r\n"
        body = pattern(name, size)
        if version == "1.1" and self.dice.random() < 0.5:
            return name, method, (head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunked(self.dice, body)
        return name, method, (head + f"Content-Length: {size}\r\n\r\n").encode() + body

    def _read(self, client, name, method):
        """Reads a final response; true where it was whole and the connection may go on."""
        status = 100
        while status < 200:
            status, fields, body = client.response(to_head=method == "HEAD")
            if status == 101:
                return False
        if "x-echo" in fields and fields["x-echo"] != name:
            self.findings.add(f"/{name} was answered with {fields['x-echo']!r}")
        if body is None:
            return False
        if "x-echo" in fields and "x-size" in fields and method != "HEAD" and body != pattern(name, int(fields["x-size"])):
            self.findings.add(f"/{name}: {len(body)} of {fields['x-size']} bytes ended like the whole, or are others: {fields}")
        self.findings.count(f"status {status}")
        return fields.get("connection", "keep-alive") != "close"

    def _honest(self, client):
        for _ in range(self.dice.randint(1, 10)):
            name, method, data = self._request()
            send_in_pieces(self.dice, client.socket, data)
            if not self._read(client, name, method):
                return

    def _http10(self, client):
        name, method, data = self._request(version="1.0")
        client.send(data)
        self._read(client, name, method)

    def _pipelined(self, client):
        asked = [self._request() for _ in range(self.dice.randint(2, 12))]
        sender = threading.Thread(target=self._send_all, args=(client.socket, b"".join(data for _, _, data in asked)))
        sender.start()
        try:
            for name, method, _ in asked:
                if not self._read(client, name, method):
                    return
        finally:
            try:
                client.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sender.join()

    def _send_all(self, connection, data):
        try:
            send_in_pieces(self.dice, connection, data)
            if self.dice.random() < 0.3:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _cut(self, client):
        data = b"".join(self._request()[2] for _ in range(self.dice.randint(1, 3)))
        client.send(data[:self.dice.randint(0, len(data))])
        time.sleep(self.dice.choice((0, 0, 0.01, 0.1)))
        end = self.dice.random()
        if end < 0.4:
            reset(client.socket)
        elif end < 0.7:
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(1 << 16):
                pass

    def _slow_reader(self, client):
        name, method, data = self._request(method="GET")
        client.send(data * self.dice.choice((1, 1, 50)))
        for _ in range(self.dice.randint(0, 10)):
            if not client.socket.recv(self.dice.choice((1, 100, 4096))):
                return
            time.sleep(0.02)
        if self.dice.random() < 0.3:
            reset(client.socket)
        elif self.dice.random() < 0.5:
            time.sleep(0.5)

    def _slow_writer(self, client):
        _, _, data = self._request()
        for one in data[:self.dice.randint(1, 400)]:
            client.send(bytes([one]))
            time.sleep(0.002)
            if select.select([client.socket], [], [], 0)[0]:
                return
        if self.dice.random() < 0.5:
            client.socket.recv(1)

    def _garbage(self, client):
        if self.dice.random() < 0.4:
            data = self.dice.choice(GARBAGE)
        else:
            data = bytearray(b"POST /m HTTP/1.1\r\nHost: chaos\r\nContent-Length: 5\r\nX: y\r\nTransfer-Encoding: gzip\r\n\r\n12345" * 2)
            if self.dice.random() < 0.7:
                data = data.replace(b"Transfer-Encoding: gzip\r\n", b"")
            for _ in range(self.dice.randint(1, 6)):
                data[self.dice.randrange(len(data))] = self.dice.randrange(256)
        client.send(bytes(data))
        if self.dice.random() < 0.5:
            client.socket.shutdown(socket.SHUT_WR)
        while client.socket.recv(1 << 16):
            pass

    def _expects(self, client):
        name, method, data = self._request("Expect: 100-continue\r\n", "POST")
        head, body = data.split(b"\r\n\r\n", 1)
        client.send(head + b"\r\n\r\n")
        wants = self.dice.random()
        if wants < 0.2:
            return reset(client.socket)
        if wants < 0.6:
            select.select([client.socket], [], [], 0.1)
        sender = threading.Thread(target=self._send_all, args=(client.socket, body))
        sender.start()
        try:
            self._read(client, name, method)
        finally:
            try:
                client.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sender.join()

    def _upgrades(self, client):
        name, method, data = self._request("Connection: Upgrade\r\nUpgrade: websocket\r\n", "GET")
        # What it says before it is allowed to comes behind the head, in order.
        said = self.dice.randbytes(self.dice.choice((0, 0, 5, 20_000)))
        send_in_pieces(self.dice, client.socket, data + said)
        status, fields, _ = client.response(to_head=True)
        while status < 200 and status != 101:
            status, fields, _ = client.response(to_head=True)
        self.findings.count(f"upgrade {status}")
        if status != 101:
            return
        if fields.get("x-echo") != name:
            self.findings.add(f"the tunnel of /{name} is {fields.get('x-echo')!r}'s")
        for _ in range(self.dice.randint(0, 10)):
            more = self.dice.randbytes(self.dice.choice((1, 300, 20_000)))
            client.send(more)
            said += more
            back = client.stream.read(len(said))
            if back != said[:len(back)]:
                self.findings.add(f"the tunnel of /{name} brings other bytes than were sent")
            if len(back) < len(said):
                return
            said = b""
        end = self.dice.random()
        if end < 0.3:
            reset(client.socket)
        elif end < 0.6:
            client.socket.shutdown(socket.SHUT_WR)
            while client.socket.recv(1 << 16):
                pass
        elif end < 0.8:
            client.socket.recv(1)  # until the tunnel has stood still for too long

    def _silent(self, client):
        end = self.dice.random()
        if end < 0.3:
            reset(client.socket)
        elif end < 0.6:
            client.socket.recv(1)


CLIENT_ACTS = {"honest": 30, "http10": 4, "pipelined": 15, "cut": 15, "slow_reader": 8, "slow_writer": 4, "garbage": 8,
               "expects": 8, "upgrades": 10, "silent": 4}
