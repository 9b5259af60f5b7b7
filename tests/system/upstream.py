"""A scripted HTTP server for tests: it says byte for byte what it is told to, and remembers what it was asked."""
import socket
import threading
import time

from stack.patience import patient


class Request:
    def __init__(self, head, body, connection_number):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:] if line]
        self.body = body
        self.connection_number = connection_number

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


def response(status=200, body=b"ok", fields=(), reason="OK"):
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def read_message(stream):
    """Head and body of one message from a file-like stream; None at its end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    names = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:] if b":" in line}
    body = b""
    if names.get(b"transfer-encoding", b"").lower() == b"chunked":
        while True:
            size = int(stream.readline().split(b";")[0], 16)
            body += stream.read(size)
            stream.readline()
            if size == 0:
                break
    elif b"content-length" in names:
        body = stream.read(int(names[b"content-length"]))
    return head, body


class Upstream:
    """`answer(request)` returns the bytes to send, or None to close at once, or a function that is given the socket.

    Probes of /health are answered 200 without asking it, unless `probes` says otherwise.
    """

    def __init__(self, answer=None, port=0, probes=True, host="127.0.0.1"):
        self.answer = answer or (lambda request: response())
        self.probes = probes
        self.requests = []
        self.connections = 0
        self.open = set()
        self.listener = None
        self.host = host
        self.port = port
        self.listen()

    def listen(self):
        self.listener = socket.create_server((self.host, self.port), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection, number):
        try:
            with connection, connection.makefile("rb") as stream:
                while True:
                    message = read_message(stream)
                    if message is None:
                        return
                    request = Request(*message, number)
                    if self.probes and request.target == "/health":
                        connection.sendall(response())
                        continue
                    self.requests.append(request)
                    answer = self.answer(request)
                    if answer is None:
                        return
                    if callable(answer):
                        if answer(connection) == "close":
                            return
                    else:
                        connection.sendall(answer)
        except (OSError, ValueError):
            pass
        finally:
            self.open.discard(connection)

    def die(self):
        """As a killed process: the port is refused, and connections are reset."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # a thread in accept() would keep the port open
        except OSError:
            pass
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            except OSError:
                pass

    def close(self):
        self.die()


def listen(serve, host="127.0.0.1", port=0, backlog=512):
    """A listener; `serve(connection)` is called on a thread of its own for each that comes, until it is closed."""
    listener = socket.create_server((host, port), backlog=backlog)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener


def read_head(stream):
    """A head with the empty line that ends it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            raise ConnectionError("no head")
        head += line
    return head


class RawServer:
    """Speaks by a script of its own: `serve(connection, stream, head)` is called with each head, before any body.

    A connection goes on until it, or serve, ends; serve ends it by returning "close".
    """

    def __init__(self, serve):
        self.serve = serve
        self.heads = []  # as text
        self.failures = []  # what broke in serve
        self.listener = listen(self._connection)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]

    def _connection(self, connection):
        with connection, connection.makefile("rb", buffering=1 << 20) as stream:
            while True:
                try:
                    head = read_head(stream).decode("latin-1")
                except OSError:
                    return
                self.heads.append(head)
                try:
                    if self.serve(connection, stream, head) == "close":
                        return
                except OSError as problem:
                    self.failures.append(problem)
                    return

    def close(self):
        self.listener.close()


class Client:
    """A raw connection to lb. `timeout` is how long it may take on an idle machine."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), patient(timeout))
        self.stream = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def response(self, to_head=False):
        """Status, fields and body of the next response; body None where the connection ended within it."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.stream.readline()
            if not line:
                raise EOFError(f"the connection ended in the head: {head!r}")
            head += line
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = {}
        for line in lines[1:]:
            if line:
                name, value = line.split(": ", 1)
                fields[name.lower()] = value
        if to_head or status in (204, 304) or status < 200:
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                line = self.stream.readline()
                if not line:
                    return status, fields, None
                size = int(line, 16)
                piece = self.stream.read(size + 2)
                if len(piece) < size + 2:
                    return status, fields, None
                if size == 0:
                    return status, fields, body
                body += piece[:-2]
        if "content-length" in fields:
            wanted = int(fields["content-length"])
            body = self.stream.read(wanted)
            return status, fields, body if len(body) == wanted else None
        return status, fields, self.stream.read()

    def get(self, target="/", fields=(), host="test.example"):
        extra = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.send(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n")
        return self.response()

    def is_closed(self):
        """True where the server has ended the connection and nothing is left to read; waits for it."""
        try:
            return self.stream.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.stream.close()
        self.socket.close()


def ask(port, target="/", fields=(), timeout=10, host="test.example"):
    """One GET on a connection of its own: status, fields, body."""
    client = Client(port, timeout)
    try:
        return client.get(target, fields, host)
    finally:
        client.close()


def eventually(condition, seconds=10, what="it does not come true"):
    deadline = time.monotonic() + patient(seconds)
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def main():
    """As a process of its own, which can be stopped and killed: says what it is called, and counts what it was sent."""
    import sys
    server = Upstream(lambda request: response(body=f"{sys.argv[1]} {len(server.requests)}".encode()))
    print(f"listening {server.port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
