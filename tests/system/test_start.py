"""An instance that starts is asked nothing before it can answer; and is not kept from starting by stores that are away."""
import json
import socket
import threading
import time

from stack.ports import free_port
from stack.programs import Shortener
from system.upstream import Client, listen


class Relay:
    """In front of another port: each connection is taken at once, and begins to work `delay` seconds later; None: never."""

    def __init__(self, port, delay):
        self.target, self.delay = port, delay
        self.listener = listen(self._serve)
        self.port = self.listener.getsockname()[1]

    def _serve(self, connection):
        if self.delay is None:
            return self._hold(connection)
        time.sleep(self.delay)
        other = socket.create_connection(("127.0.0.1", self.target))
        threading.Thread(target=self._pipe, args=(other, connection), daemon=True).start()
        self._pipe(connection, other)

    def _hold(self, connection):
        connection.recv(1 << 20)
        time.sleep(30)

    def _pipe(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


def post(port, target):
    body = json.dumps({"longUrl": target})
    client = Client(port)
    client.send(f"POST /api/v1/links HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    status = client.response()[0]
    client.close()
    return status


def start_behind(stack, tmp_path, delay):
    """An instance whose way to the primary is slow."""
    relay = Relay(stack.primary.port, delay)
    env = stack.app_env()
    env["DATABASE_URL"] = env["DATABASE_URL"].replace(f":{stack.primary.port}/", f":{relay.port}/")
    return relay, Shortener("starting", str(tmp_path), free_port(), env).start()


def test_the_first_post_after_a_start_is_answered_however_long_the_primary_takes_to_connect(stack, tmp_path):
    relay, app = start_behind(stack, tmp_path, 0.8)
    try:
        assert post(app.port, "https://example.com/first") == 201
    finally:
        app.stop()
        relay.close()


def test_a_primary_that_never_answers_does_not_keep_an_instance_from_starting(stack, tmp_path):
    relay, app = start_behind(stack, tmp_path, None)
    try:
        assert app.health()[0] == 200
        assert post(app.port, "https://example.com/never") == 503
    finally:
        app.stop()
        relay.close()
