"""Upgrade: a tunnel with half-close, backpressure, an idle time-out; counted in the ledger, and drained."""
import os
import socket
import subprocess
import threading
import time

import pytest
from system.node import modules, node
from system.upstream import Client, Upstream, eventually, response

UPGRADE = ("GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: {}\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 7\r\nX-Own: 1\r\n\r\n"


def echo(connection):
    """Sends back what comes until the other side ends, and ends then."""
    while True:
        data = connection.recv(65536)
        if not data:
            break
        connection.sendall(data)
    return "close"


def switching(serve, first=b""):
    """An answer that changes the protocol and goes on with serve(connection)."""
    def answer(request):
        if request.get("Upgrade") is None:
            return response(body=b"plain")

        def run(connection):
            connection.sendall(SWITCHED + first)
            serve(connection)
            return "close"
        return run
    return answer


def lb_for(start_lb, server, more=""):
    return start_lb(f"upstreams: ['{server.address}']\n{more}")


def open_tunnel(lb, early=b""):
    client = Client(lb.public)
    client.send(UPGRADE.format("websocket").encode() + early)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.stream.readline()
    return client, head


def outcome(lb, name):
    return lb.metric("lb_request_outcomes_total", outcome=name)


def test_a_tunnel_carries_bytes_both_ways_and_ends_by_halves(start_lb, upstream):
    server = upstream(switching(echo, first=b"hello"))
    lb = lb_for(start_lb, server)
    client, head = open_tunnel(lb, early=b"before I saw it")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n") and b"X-Own: 1\r\n" in head
    assert head.lower().count(b"\r\nupgrade: websocket\r\n") == 1 and b"\r\nConnection: Upgrade\r\n" in head
    assert b"Content-Length" not in head
    assert client.stream.read(20) == b"hellobefore I saw it"
    asked = server.requests[-1]
    assert asked.all("Upgrade") == ["websocket"] and asked.all("Connection") == ["Upgrade"]
    assert asked.get("Sec-WebSocket-Key") == "dGhlIHNhbXBsZSBub25jZQ=="
    client.send(b"\x00GET / HTTP/1.1\r\n\r\n")
    assert client.stream.read(19) == b"\x00GET / HTTP/1.1\r\n\r\n", "bytes are not read as HTTP"
    assert lb.metric("lb_tunnels") == 1 and lb.metric("lb_requests_in_flight") == 1
    client.socket.shutdown(socket.SHUT_WR)
    assert client.stream.read() == b"", "the server saw the end, and ended too"
    eventually(lambda: outcome(lb, "tunnelled") == 1)
    assert lb.metric("lb_tunnels") == 0 and lb.metric("lb_ledger_imbalance") == 0


def test_a_client_that_ended_its_half_still_gets_all_that_comes(start_lb, upstream):
    def late(connection):
        while connection.recv(65536):
            pass
        time.sleep(0.05)  # not a wait for something: the answer is to come after the end
        connection.sendall(b"x" * 3_000_000)

    lb = lb_for(start_lb, upstream(switching(late)))
    client, _ = open_tunnel(lb)
    client.send(b"question")
    client.socket.shutdown(socket.SHUT_WR)
    assert len(client.stream.read()) == 3_000_000


def test_a_server_that_ended_its_half_still_gets_all_that_comes(start_lb, upstream):
    got = []

    def ends_first(connection):
        connection.shutdown(socket.SHUT_WR)
        data = b""
        while piece := connection.recv(65536):
            data += piece
        got.append(len(data))

    lb = lb_for(start_lb, upstream(switching(ends_first)))
    client, _ = open_tunnel(lb)
    assert client.stream.read() == b""
    client.send(b"y" * 2_000_000)
    client.socket.shutdown(socket.SHUT_WR)
    eventually(lambda: got == [2_000_000], what=got)
    eventually(lambda: outcome(lb, "tunnelled") == 1)


def test_a_reader_that_stands_still_holds_the_other_side_and_nothing_is_lost(start_lb, upstream):
    total = 64_000_000
    done = threading.Event()

    def pours(connection):
        for _ in range(total // 64_000):
            connection.sendall(b"z" * 64_000)
        done.set()

    lb = lb_for(start_lb, upstream(switching(pours)))
    client, _ = open_tunnel(lb)
    time.sleep(0.5)  # would be enough to take it all in
    assert not done.is_set(), "it went into lb's memory"
    got = 0
    while piece := client.socket.recv(1 << 20):
        got += len(piece)
    assert got + len(client.stream.peek()) >= total - 8192


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_of_one_side_ends_the_other(start_lb, upstream, who):
    ended = threading.Event()
    hold = threading.Event()

    def serve(connection):
        if who == "server":
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            return
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
        ended.set()

    lb = lb_for(start_lb, upstream(switching(serve)))
    client, _ = open_tunnel(lb)
    client.send(b"x")
    if who == "server":
        assert client.is_closed()
    else:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.stream.close()
        client.socket.close()
        assert ended.wait(10)
    eventually(lambda: outcome(lb, "tunnelled") == 1)
    assert lb.metric("lb_ledger_imbalance") == 0 and lb.metric("lb_tunnels") == 0
    hold.set()


def test_a_tunnel_that_stands_still_is_closed(start_lb, upstream):
    lb = lb_for(start_lb, upstream(switching(echo)), "timeouts: {tunnel: 200ms}\n")
    client, _ = open_tunnel(lb)
    for _ in range(4):
        client.send(b"x")
        assert client.stream.read(1) == b"x"
        time.sleep(0.08)  # together longer than the time-out
    assert client.is_closed()
    eventually(lambda: outcome(lb, "tunnelled") == 1)


def test_a_server_may_decline(start_lb, upstream):
    lb = lb_for(start_lb, upstream(lambda request: response(status=426, body=b"no", reason="Upgrade Required")))
    client = Client(lb.public).send(UPGRADE.format("websocket"))
    assert client.response()[::2] == (426, b"no")
    assert client.get()[0] == 426, "the connection goes on"


def test_an_upgrade_named_on_a_second_connection_line_is_one(start_lb, upstream):
    lb = lb_for(start_lb, upstream(switching(echo, first=b"hello")))
    client = Client(lb.public)
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert client.stream.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "websocket, h2c"])
def test_other_protocols_are_not_asked_for(start_lb, upstream, protocol):
    server = upstream()
    client = Client(lb_for(start_lb, server).public).send(UPGRADE.format(protocol))
    assert client.response()[0] == 200
    assert server.requests[-1].get("Upgrade") is None and server.requests[-1].get("Connection") is None


def test_a_101_that_was_not_asked_for_is_a_502(start_lb, upstream):
    def other(request):
        return SWITCHED.replace(b"websocket", b"chat")
    lb = lb_for(start_lb, upstream(other), "retry: {deadline: 0s}\n")
    assert Client(lb.public).get()[0] == 502
    client = Client(lb.public).send(UPGRADE.format("websocket"))
    assert client.response()[0] == 502


def test_what_cannot_be_upgraded_is_not(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server)
    for request in ("GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
                    "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx"):
        assert Client(lb.public).send(request).response()[0] == 200
        assert server.requests[-1].get("Upgrade") is None


def test_an_upgrade_is_tried_elsewhere_like_any_other_get(start_lb, upstream):
    dead, alive = Upstream(), upstream(switching(echo))
    address = dead.address
    dead.close()
    lb = start_lb(f"upstreams: ['{address}', '{alive.address}']\n")
    for _ in range(2):
        client, head = open_tunnel(lb)
        assert head.startswith(b"HTTP/1.1 101 ")


def test_a_stop_waits_for_tunnels_and_no_longer_than_the_grace(start_lb, upstream):
    lb = lb_for(start_lb, upstream(switching(echo)), "shutdown: {grace: 1s}\n")
    client, _ = open_tunnel(lb)
    lb.process.send_signal(15)
    lb.process.wait_for_log("draining")
    client.send(b"still here")
    assert client.stream.read(10) == b"still here"
    assert client.is_closed()
    assert lb.process.wait() == 0


def test_a_real_websocket_client_and_server(start_lb, tmp_path):
    """By the npm package ws: a message of each size class, and a close handshake."""
    script = tmp_path / "ws.cjs"
    script.write_text("""
const { WebSocket, WebSocketServer } = require('ws');
const crypto = require('crypto');
if (process.argv[2] === 'serve') {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => console.log(server.address().port));
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
} else {
  const socket = new WebSocket('ws://127.0.0.1:' + process.argv[3] + '/chat', { perMessageDeflate: true });
  const sizes = [0, 1, 125, 126, 65535, 65536, 1000003];
  const sent = sizes.map((size) => crypto.randomBytes(size));
  let next = 0;
  socket.on('open', () => { socket.ping('p'); sent.forEach((one) => socket.send(one)); });
  socket.on('message', (data) => {
    if (!sent[next].equals(data)) throw new Error('message ' + next + ' differs');
    if (++next === sent.length) socket.close(4321, 'done');
  });
  socket.on('close', (code) => { console.log('closed ' + code + ' after ' + next); process.exit(0); });
}
""")
    env = {**os.environ, "NODE_PATH": modules("ws")}
    server = subprocess.Popen([node(), str(script), "serve"], stdout=subprocess.PIPE, env=env, text=True)
    try:
        port = int(server.stdout.readline())
        lb = start_lb(f"upstreams: ['127.0.0.1:{port}']\n")
        done = subprocess.run([node(), str(script), "ask", str(lb.public)], env=env, capture_output=True, text=True, timeout=30)
        assert done.stdout == "closed 4321 after 7\n", done
        eventually(lambda: outcome(lb, "tunnelled") == 1)
    finally:
        server.kill()
        server.wait()
