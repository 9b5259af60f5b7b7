"""An instance that starts is asked nothing before it can answer; and is not kept from starting by stores that are away."""
import json
import socket
import threading
import time

from stack.ports import free_port
from stack.programs import Shortener
from stack.stack import create_link
from system.instances import shortener
from system.upstream import Client, ask, listen


class Relay:
    """In front of another port: each connection is taken at once, and begins to work `delay` seconds later; None: never.
    The first `prompt` connections work at once. What is sent takes `latency` seconds each way."""

    def __init__(self, port, delay, prompt=0, latency=0):
        self.target, self.delay, self.prompt, self.latency = port, delay, prompt, latency
        self.listener = listen(self._serve)
        self.port = self.listener.getsockname()[1]

    def _serve(self, connection):
        self.prompt -= 1
        if self.prompt < 0 and self.delay is None:
            return self._hold(connection)
        if self.prompt < 0:
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
                time.sleep(self.latency)
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


def start_behind(stack, tmp_path, delay, prompt=0, latency=0, **settings):
    """An instance whose way to the primary is slow."""
    relay = Relay(stack.primary.port, delay, prompt, latency)
    env = {**stack.app_env(), **settings}
    env["DATABASE_URL"] = env["DATABASE_URL"].replace(f":{stack.primary.port}/", f":{relay.port}/")
    return relay, Shortener("starting", str(tmp_path), free_port(), env).start()


def test_the_first_post_after_a_start_is_answered_however_long_the_primary_takes_to_connect(stack, tmp_path):
    relay, app = start_behind(stack, tmp_path, 0.8)
    try:
        assert post(app.port, "https://example.com/first") == 201
    finally:
        app.stop()
        relay.close()


def test_statistics_are_not_refused_after_a_start_because_their_connection_is_late(stack, tmp_path):
    code = create_link(stack.url(), "https://example.com/")[1]["shortCode"]
    # The connections in their order: two for links, as writer and as reader, and one for the feed; then that for statistics.
    relay, app = start_behind(stack, tmp_path, 0.8, prompt=3, DATABASE_CONNECTIONS="1", DATABASE_REPLICA_URL="")
    try:
        assert ask(app.port, f"/stats/{code}")[0] == 200
    finally:
        app.stop()
        relay.close()


def test_a_key_is_known_to_an_instance_that_has_just_started(stack, tmp_path):
    key = shortener(stack, "keys", "create", "--name", "a test")[0].strip()
    relay, app = start_behind(stack, tmp_path, 0, latency=0.1, API_AUTH="keys", DATABASE_REPLICA_URL="")
    try:
        assert ask(app.port, "/api/v1/links", [("X-Api-Key", key)])[0] == 200
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
