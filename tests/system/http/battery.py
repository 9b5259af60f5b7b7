"""Cases of HTTP as data, and what runs one of them against any proxy: bytes in, what the upstream saw, what the client saw."""
import select
import socket
import threading
import time
from dataclasses import dataclass, field

MUST, SHOULD, OURS = "MUST", "SHOULD", "ours"
# The public suites that cases were learned from: what they try, not their text.
GARDEN, CISPA, PROBE = "http-garden", "the CISPA conformance study", "Http11Probe"
PORTSWIGGER, FUNKY = "PortSwigger's HTTP Request Smuggler", "Funky Chunks"
NGINX, HAPROXY, LLHTTP = "nginx-tests", "HAProxy's reg-tests", "llhttp's tests"


@dataclass(frozen=True)
class Seen:
    """The upstream saw these requests, in order, and each was answered: (method, target, body)."""
    requests: tuple
    has: tuple = ()    # (name, value) of the first request; a value of None: that it is there
    hasnt: tuple = ()  # names that the first request does not have
    status: int = 200
    closed: bool = False  # and then the connection was closed


@dataclass(frozen=True)
class Refused:
    """The client got one of these statuses, the connection was closed, and the upstream saw nothing whole of it."""
    statuses: tuple = (400,)  # None among them: no answer; none at all: whatever the client was told
    before: int = 0  # so many requests before it were served


@dataclass(frozen=True)
class Relayed:
    """The client got the upstream's response."""
    status: int
    body: bytes = b""
    has: tuple = ()
    hasnt: tuple = ()
    interim: tuple = ()  # statuses that came before it, among others


@dataclass(frozen=True)
class Broken:
    """The client did not take it for whole: a 502, or a response that was cut."""
    can_cut: bool = False


@dataclass(frozen=True)
class Case:
    name: str
    rfc: str
    level: str
    send: bytes   # a request case: by the client; a response case: by the upstream
    outcomes: tuple  # one of these
    is_response: bool = False
    method: str = "POST"  # of a response case's request
    split: bool = False   # also byte by byte
    source: str = ""      # the public suite that it was learned from
    ends: bool = False    # the client ends its half of the connection behind what it sends
    keeps: bool = False   # the server keeps its connection open; what the client asks next must be answered as if nothing had been
    request: bytes = b""  # of a response case: the client's, where it is not a plain one


@dataclass
class Message:
    head: bytes
    body: bytes
    is_whole: bool
    trailers: tuple = ()

    @property
    def words(self):
        return self.head.split(b"\r\n")[0].decode("latin-1").split(" ", 2)

    @property
    def fields(self):
        rows = [line.partition(b":") for line in self.head.split(b"\r\n")[1:] if line]
        rows = [(name if colon else name + b" (no colon)", value) for name, colon, value in rows]
        return [(name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")) for name, value in rows]

    def get(self, name):
        return [value for key, value in self.fields if key == name.lower()]


class Reader:
    """Reads messages from a socket, and says where one was cut."""

    def __init__(self, connection):
        self.connection, self.data, self.is_ended = connection, b"", False
        self.is_busy = False  # a message is under way, or its answer

    def more(self):
        try:
            piece = self.connection.recv(65536)
        except (socket.timeout, OSError):
            piece = b""
        if not piece:
            self.is_ended = True
        self.data += piece
        return bool(piece)

    def until(self, mark):
        while mark not in self.data:
            if not self.more():
                return None
        piece, _, self.data = self.data.partition(mark)
        return piece + mark

    def exactly(self, size):
        while len(self.data) < size:
            if not self.more():
                return None
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def message(self, is_response=False, to_head=False, on_head=lambda: None):
        head = self.until(b"\r\n\r\n")
        if head is None:
            return None
        on_head()
        one = Message(head, b"", True)
        status = int(one.words[1]) if is_response and one.words[1].isdigit() else 0
        if is_response and (to_head or status < 200 or status in (204, 304)):
            return one
        if "chunked" in [value.lower() for value in one.get("transfer-encoding")]:
            while True:
                line = self.until(b"\r\n")
                piece = None if line is None else self.exactly(int(line.split(b";")[0], 16) + 2) if int(line.split(b";")[0], 16) else b""
                if piece is None:
                    one.is_whole = False
                    return one
                if not piece:
                    break
                one.body += piece[:-2]
            trailers = []
            while (line := self.until(b"\r\n")) not in (b"\r\n", None):
                trailers.append(line)
            one.is_whole, one.trailers = line is not None, tuple(trailers)
        elif one.get("content-length"):
            body = self.exactly(int(one.get("content-length")[0]))
            one.is_whole, one.body = body is not None, body if body is not None else self.data
        elif is_response:
            while self.more():
                pass
            one.body, self.data = self.data, b""
        return one


class Origin:
    """The server behind the proxy: remembers what it was asked; says `answer`, byte for byte, to POST and HEAD /case."""

    def __init__(self):
        self.seen, self.answer, self.split, self.keeps = [], None, False, False
        self.served = {}  # by connection: its Reader, while a thread serves it
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        reader = self.served[connection] = Reader(connection)
        try:
            with connection:
                self.serve_requests(connection, reader)
        finally:
            del self.served[connection]

    def settle(self):
        """Waits until all that was sent here has been looked at: the end of a cut request may come late."""
        deadline = time.monotonic() + 2
        while not self.is_idle() and time.monotonic() < deadline:
            time.sleep(0.0005)

    def is_idle(self):
        if select.select([self.listener], [], [], 0)[0]:
            return False
        for connection, reader in list(self.served.items()):
            if reader.is_busy or reader.data:
                return False
            try:
                connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                return False  # something, or its end, has come and was not taken yet
            except BlockingIOError:
                continue
            except OSError:
                return False
        return True

    def serve_requests(self, connection, reader):
        while True:
            seen = [self.seen]
            reader.is_busy = False

            def began():
                reader.is_busy = True
                seen[0] = self.seen

            try:
                message = reader.message(on_head=began)
            except (ValueError, IndexError):
                seen[0].append(Message(b"UNREADABLE / HTTP/1.1\r\n\r\n", b"", False))
                return
            if message is None:
                return
            if len(message.words) < 3:
                seen[0].append(Message(b"UNREADABLE / HTTP/1.1\r\n\r\n", b"", False))
                return
            if message.words[1] == "/health":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            seen[0].append(message)
            if not message.is_whole:
                return
            try:
                if self.answer is not None and message.words[1] == "/case":
                    send(connection, self.answer, self.split)
                    if self.keeps:
                        continue
                    return
                body = b"" if message.words[0] == "HEAD" else b"ok"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
            except OSError:
                return

    def close(self):
        self.listener.close()


def send(connection, data, split):
    if not split:
        connection.sendall(data)
        return
    for at in range(len(data)):
        connection.sendall(data[at:at + 1])
        if at % 16 == 0:
            time.sleep(0.0002)  # so that they are read apart now and then


def run(case, port, origin, split=False, patience=1.5):
    """None where the case came out as one of its outcomes, else what happened. `patience`: seconds for an answer."""
    _catch_up(port)
    origin.settle()
    origin.seen, origin.answer, origin.split, origin.keeps = [], case.send if case.is_response else None, split, case.keeps
    client = socket.create_connection(("127.0.0.1", port), 3)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        data = case.send
        if case.is_response:
            data = case.request or f"{case.method} /case HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode()
        try:
            send(client, data, split and not case.is_response)
            if case.ends:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before its end
        wanted = max([len(o.requests) for o in case.outcomes if isinstance(o, Seen)] +
                     [o.before + 1 for o in case.outcomes if isinstance(o, Refused)] + [1])
        client.settimeout(patience)
        reader, answers, interim = Reader(client), [], []
        try:
            while len(answers) < wanted:
                is_head = data.startswith(b"HEAD") and not answers
                one = reader.message(is_response=True, to_head=is_head)
                if one is None:
                    break
                (answers if int(one.words[1]) >= 200 else interim).append(one)
            is_closed = reader.is_ended
            if not is_closed:
                client.settimeout(0.5 if case.ends else 0.02)  # who ended its half may be kept waiting for the other
                is_closed = not reader.more() and not _is_open(client)
            extra = reader.data
            after = _ask_next(client, reader) if case.keeps and not is_closed else None
        except (ValueError, IndexError):
            return "the client got what is no HTTP"
    time.sleep(0.001)
    seen = list(origin.seen)
    said = f"{'+'.join(one.words[1] for one in interim + answers) or 'nothing'}{', closed' if is_closed else ''}; upstream saw {_told(seen)}"
    if after is not None:
        return f"{said}; the next answer was {after}"
    for outcome in case.outcomes:
        if _matches(outcome, answers, interim, is_closed, extra, seen):
            return None
    return said


def _catch_up(port):
    """Two requests there and back, so that what an earlier case left in the proxy has gone on by then."""
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"GET /caught-up HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while client.recv(4096):
                pass


def _ask_next(client, reader):
    """None where a second request is answered as it should, or the connection ends instead; else what came."""
    try:
        client.settimeout(1.5)
        client.sendall(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        while (one := reader.message(is_response=True)) is not None:
            if int(one.words[1]) >= 200:
                return None if (one.words[1], one.body) == ("200", b"ok") else f"{one.words[1]}, {one.body[:20]!r}"
    except OSError:
        pass
    return None


def _is_open(client):
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except socket.timeout:
        return True
    except OSError:
        return False


def _told(seen):
    return ", ".join(f"{' '.join(one.words[:2])[:40]}{'' if one.is_whole else ' (cut)'}" for one in seen) or "nothing"


def _agree(message, has, hasnt):
    for name, value in has:
        if value not in message.get(name) if value is not None else not message.get(name):
            return False
    return not any(message.get(name) for name in hasnt)


def _matches(outcome, answers, interim, is_closed, extra, seen):
    if isinstance(outcome, Seen):
        told = tuple((one.words[0], one.words[1], one.body) for one in seen)
        return (told == outcome.requests and len(answers) == len(told) and not extra and all(one.is_whole for one in answers) and
                all(int(one.words[1]) == outcome.status for one in answers) and (is_closed or not outcome.closed) and
                not any(one.get("transfer-encoding") and one.get("content-length") for one in seen) and
                (not seen or _agree(seen[0], outcome.has, outcome.hasnt)))
    if isinstance(outcome, Refused):
        # A request whose body turned out bad may have begun upstream; there it must not look whole.
        # Told that it is no good, a client that is not answered any more may be let talk on for a while.
        is_over = is_closed or (not outcome.statuses and answers and int(answers[-1].words[1]) >= 400)
        return (len([one for one in seen if one.is_whole]) == outcome.before and is_over and
                len(answers) <= outcome.before + 1 and
                (not outcome.statuses or len(answers) == outcome.before + 1 and int(answers[-1].words[1]) in outcome.statuses or
                 len(answers) == outcome.before and None in outcome.statuses))
    if isinstance(outcome, Relayed):
        return (len(answers) == 1 and int(answers[0].words[1]) == outcome.status and answers[0].is_whole and not extra and
                answers[0].body == outcome.body and _agree(answers[0], outcome.has, outcome.hasnt) and
                set(outcome.interim) <= {int(one.words[1]) for one in interim})
    if len(answers) == 1 and int(answers[0].words[1]) in (502, 504):
        return True
    return outcome.can_cut and (not answers or (not answers[0].is_whole and is_closed))
