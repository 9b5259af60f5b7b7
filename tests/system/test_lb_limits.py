"""lb's bounds towards clients: time as totals and floors, numbers of connections and requests, descriptors."""
import resource
import select
import socket
import threading
import time

from stack.patience import patient
from system.upstream import Client, RawServer, ask, eventually, response

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def lb_for(start_lb, *servers, more="", **options):
    names = ", ".join(server.address for server in servers)
    return start_lb(f"upstreams: [{names}]\nhealth: {{uri: /health}}\n{more}", **options)


def small_client(port, timeout=20):
    """A client whose kernel takes little before its program reads."""
    client = Client.__new__(Client)
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.socket.settimeout(patient(timeout))
    client.socket.connect(("127.0.0.1", port))
    client.stream = client.socket.makefile("rb", buffering=0)
    return client


def big(size):
    """A response too large to be held, and larger than any socket's buffers."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


def dribble(client, bytes_, pause=0.05):
    """Sends a byte at a time until lb has had enough; how many bytes it took."""
    for sent, one in enumerate(bytes_):
        try:
            client.send(bytes([one]))
        except OSError:
            return sent
        time.sleep(pause)
    return len(bytes_)


def timeouts(lb, awaited):
    return lb.metric("lb_listener_timeouts_total", awaited=awaited)


# --- Time ---------------------------------------------------------------------------------------------------------


def test_a_dribbled_head_ends_after_its_total_time(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, more="timeouts: {client_head: 400ms}\n")
    client = Client(lb.public)
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2000
    assert dribble(client, head) < 1000, "each byte came well within the time, and won none"
    assert client.response()[0] == 408
    assert client.is_closed()
    assert timeouts(lb, "head") == 1 and server.requests == []


def test_the_second_head_of_a_connection_has_its_total_time_too(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="timeouts: {client_head: 400ms}\n")
    client = Client(lb.public)
    assert client.get()[0] == 200
    assert dribble(client, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2000) < 1000
    assert client.response()[0] == 408
    assert client.is_closed()


def test_a_client_without_a_byte_is_closed_without_a_word(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="timeouts: {client_head: 200ms}\n")
    client = Client(lb.public)
    assert client.is_closed(), "closed, and not answered"
    assert timeouts(lb, "idle") == 1 and timeouts(lb, "head") == 0


def test_a_dribbled_body_is_given_up(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="timeouts: {client_stall: 500ms}\nlimits: {client_min_rate: 1KiB}\n")
    for head in ("Content-Length: 100000", "Transfer-Encoding: chunked"):
        before = timeouts(lb, "body")
        client = Client(lb.public)
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n")
        assert dribble(client, b"7fffffff\r\n" + b"x" * 2000) < 1000
        assert client.response()[0] == 408, head
        assert client.is_closed()
        assert timeouts(lb, "body") == before + 1
    assert lb.metric("lb_requests_in_flight") == 0 and lb.metric("lb_ledger_imbalance") == 0


def test_a_slow_body_above_the_floor_is_served(start_lb, upstream):
    server = upstream(lambda request: response(body=b"%d" % len(request.body)))
    lb = lb_for(start_lb, server, more="timeouts: {client_stall: 1s}\nlimits: {client_min_rate: 2}\n")
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n")
    assert dribble(client, b"x" * 60) == 60, "three windows, each with enough in it"
    assert client.response()[2] == b"60"
    assert timeouts(lb, "body") == 0


def test_a_reader_under_the_floor_is_reset(start_lb, upstream):
    lb = lb_for(start_lb, upstream(lambda request: big(64 << 20)),
                more="timeouts: {client_stall: 500ms}\nlimits: {client_min_rate: 4MiB}\n")
    client = small_client(lb.public)
    client.send(GET)
    taken = 0
    try:
        while taken < 64 << 20:
            piece = client.socket.recv(4096)
            assert piece, "the end of the stream would look like the end of the response"
            taken += len(piece)
            time.sleep(0.01)
    except ConnectionResetError:
        pass
    assert taken < 64 << 20
    assert timeouts(lb, "response") == 1
    assert lb.metric("lb_requests_in_flight") == 0 and lb.metric("lb_ledger_imbalance") == 0


def test_a_cut_is_seen_where_only_the_close_ends_the_response(start_lb, upstream):
    def answer(request):
        return lambda connection: (connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(64 << 20)), "close")[1]
    lb = lb_for(start_lb, upstream(answer), more="timeouts: {client_stall: 300ms}\n")
    client = small_client(lb.public)
    client.send("GET / HTTP/1.0\r\n\r\n")
    eventually(lambda: timeouts(lb, "response") == 1)
    try:
        while client.socket.recv(1 << 20):
            pass
        assert False, "it ended like a whole response"
    except ConnectionResetError:
        pass


def test_a_slow_reader_above_the_floor_gets_all(start_lb, upstream):
    size = 16 << 20
    lb = lb_for(start_lb, upstream(lambda request: big(size)),
                more="timeouts: {client_stall: 1s}\nlimits: {client_min_rate: 10KiB}\n")
    client = small_client(lb.public)
    client.send(GET)
    taken = 0
    # Less in a window than the third of a socket's buffer after which the kernel says that there is room again.
    for _ in range(30):
        taken += len(client.socket.recv(32 * 1024))
        time.sleep(0.1)
    assert timeouts(lb, "response") == 0
    while piece := client.socket.recv(1 << 20):
        taken += len(piece)
        if taken > size:
            break
    assert taken > size and timeouts(lb, "response") == 0


def test_a_slow_server_is_not_the_clients_fault(start_lb, upstream):
    release = threading.Event()

    def answer(connection, stream, head):
        release.wait(20)
        left = 8 << 20
        while left:
            left -= len(stream.read(min(left, 1 << 20)))
        connection.sendall(response(body=b"took it all"))
        return "close"

    server = RawServer(answer)
    lb = start_lb(f"upstreams: [{server.address}]\ntimeouts: {{client_stall: 300ms}}\nlimits: {{client_min_rate: 1MiB}}\n")
    client = Client(lb.public)
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {8 << 20}\r\n\r\n")
    sender = threading.Thread(target=client.send, args=(bytes(8 << 20),))
    sender.start()
    time.sleep(1.5)  # several windows in which lb does not read
    assert timeouts(lb, "body") == 0
    release.set()
    assert client.response()[2] == b"took it all"
    sender.join()
    server.close()


# --- Numbers --------------------------------------------------------------------------------------------------------


def test_the_last_response_of_a_connection_says_so(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="limits: {requests_per_connection: 3}\n")
    client = Client(lb.public)
    assert [client.get()[1].get("connection") for _ in range(3)] == [None, None, "close"]
    assert client.is_closed()
    assert ask(lb.public)[0] == 200


def test_a_pipelining_client_that_reads_nothing_is_not_asked_for_more(start_lb, upstream):
    """A thousand requests fit into what lb keeps of a client; their answers, 60 MB, must not."""
    server = upstream(lambda request: response(body=bytes(60_000)))
    lb = lb_for(start_lb, server, more="workers: 1\n")
    ask(lb.public)
    before = lb.process.rss_bytes()
    client = small_client(lb.public, timeout=60)
    client.send(GET * 1000)
    seen = 0
    while len(server.requests) != seen:  # until nothing moves any more
        seen = len(server.requests)
        time.sleep(0.3)
    assert seen < 500
    assert lb.process.is_sanitized() or lb.process.rss_bytes() - before < 8 << 20
    client.stream = client.socket.makefile("rb")
    for _ in range(1000):
        status, _, body = client.response()
        assert status == 200 and len(body) == 60_000
    assert client.get()[0] == 200, "and the connection goes on"


def test_a_half_closed_client_may_read_slowly(start_lb, upstream):
    """Its end of stream, seen after the response is written, takes nothing of what it has yet to read."""
    size = 60_000
    lb = lb_for(start_lb, upstream(lambda request: response(body=bytes(size))))
    client = small_client(lb.public, timeout=60)
    count = 200
    client.send(GET * count)
    time.sleep(0.5)
    client.socket.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    client.stream = client.socket.makefile("rb")
    assert [len(client.response()[2]) for _ in range(count)] == [size] * count
    assert client.is_closed()


def test_at_the_limit_the_longest_idle_client_makes_room(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="workers: 2\nlimits: {connections: 3}\n")
    clients = [Client(lb.public) for _ in range(3)]
    for client in clients:
        assert client.get()[0] == 200
        time.sleep(0.05)
    assert ask(lb.public)[0] == 200, "it waits until one of them has been idle for long enough, whichever worker has it"
    assert lb.metric("lb_listener_idle_closed_total") == 1
    time.sleep(0.05)
    gone = [client for client in clients if ended(client)]
    assert len(gone) == 1
    assert lb.metric("lb_listener_pauses_total", missing="connections") >= 1
    assert all(client.get()[0] == 200 for client in clients if client not in gone)


def ended(client):
    """True where lb has closed the connection."""
    return bool(select.select([client.socket], [], [], 0)[0])


def test_at_the_limit_who_is_being_served_stays_and_who_waits_is_served_later(start_lb, upstream):
    release = threading.Event()
    server = upstream(lambda request: lambda connection: (release.wait(20), connection.sendall(response())))
    lb = lb_for(start_lb, server, more="workers: 2\nlimits: {connections: 3}\n")
    busy = [Client(lb.public, timeout=30) for _ in range(3)]
    for client in busy:
        client.send(GET)
    eventually(lambda: len(server.requests) == 3)
    waiting = [Client(lb.public, timeout=30).send(GET) for _ in range(5)]
    time.sleep(1.5)  # longer than an idle one would need to be
    assert len(server.requests) == 3 and lb.metric("lb_listener_connections") == 3
    assert lb.get_admin("/healthz")
    release.set()
    for client in busy:
        assert client.response()[0] == 200
        client.close()
    for client in waiting:
        assert client.response()[0] == 200
        client.close()
    assert lb.metric("lb_listener_idle_closed_total") <= 3, "only when they were idle"
    assert lb.metric("lb_requests_started_total") == 8 and lb.metric("lb_ledger_imbalance") == 0


def test_a_client_has_its_share_of_connections(start_lb, upstream):
    lb = lb_for(start_lb, upstream(), more="workers: 2\nlimits: {connections_per_client: 2}\n")
    mine = [Client(lb.public) for _ in range(2)]
    assert [client.get()[0] for client in mine] == [200, 200]
    for _ in range(5):
        extra = Client(lb.public)
        status, fields, _ = extra.response()  # without a question
        assert (status, fields["connection"], fields["retry-after"]) == (429, "close", "1")
        assert extra.is_closed()
    assert lb.metric("lb_listener_rejected_total", reason="client_limit") == 5
    other = socket.create_connection(("127.0.0.1", lb.public), 10, source_address=("127.0.0.77", 0))
    other.sendall(GET.encode())
    assert other.recv(100).startswith(b"HTTP/1.1 200"), "another address has its own share"
    mine[0].close()
    eventually(lambda: ask(lb.public)[0] == 200)
    assert mine[1].get()[0] == 200


def test_a_trusted_proxy_brings_as_many_connections_as_it_likes(start_lb, upstream):
    lb = lb_for(start_lb, upstream(),
                more="trusted_proxies: [127.0.0.1]\nlimits: {connections_per_client: 1}\n")
    clients = [Client(lb.public) for _ in range(5)]
    assert [client.get()[0] for client in clients] == [200] * 5


def test_ipv6_clients_share_by_their_64(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"listen: '[::1]:0'\nupstreams: ['{server.address}']\nlimits: {{connections_per_client: 1}}\n")
    first = socket.create_connection(("::1", lb.public), 10)
    first.sendall(GET.encode())
    assert first.recv(100).startswith(b"HTTP/1.1 200")
    second = socket.create_connection(("::1", lb.public), 10)
    assert second.recv(100).startswith(b"HTTP/1.1 429")


# --- Descriptors ----------------------------------------------------------------------------------------------------


def test_clients_do_not_get_the_descriptors_of_others(start_lb, upstream):
    """All that may come in are busy, and still everybody else has what he needs."""
    release = threading.Event()
    server = upstream(lambda request: lambda connection: (release.wait(30), connection.sendall(response())))
    lb = lb_for(start_lb, server, more="workers: 2\n", files=200)
    most = int(lb.metric("lb_listener_connections_max"))
    assert 10 < most < 100
    assert f"fewer clients than limits.connections clients={most}" in lb.process.log_text()
    clients = [Client(lb.public, timeout=40).send(GET) for _ in range(most + 30)]
    eventually(lambda: len(server.requests) == most, what="each of them has its connection to the server")
    assert lb.process.descriptors() < 200
    admin = [Client(lb.admin, timeout=5) for _ in range(10)]
    assert all(client.get("/healthz")[0] == 200 for client in admin)
    assert lb.states()[server.address] == "healthy"
    before = lb.process.cpu_seconds()
    time.sleep(1)
    assert lb.process.is_sanitized() or lb.process.cpu_seconds() - before < 0.2, "who waits is not asked about all the time"
    release.set()
    for client in clients[:most]:
        assert client.response()[0] == 200
        client.close()
    for client in clients[most:]:
        assert client.response()[0] == 200
        client.close()
    assert lb.metric("lb_listener_pauses_total", missing="descriptors") == 0


def test_out_of_descriptors_clients_wait_and_the_processor_rests(start_lb, upstream):
    """The limit falls while lb runs, under what it has planned with."""
    server = upstream()
    lb = lb_for(start_lb, server, more="workers: 1\n", files=400)
    assert ask(lb.public)[0] == 200
    admin = Client(lb.admin)  # opened before: an answer needs no descriptor
    # Under UBSan the first call of a virtual function looks at its object through a pipe, which needs descriptors.
    assert admin.get("/metrics")[0] == 200
    held = [Client(lb.public, timeout=40) for _ in range(5)]
    for client in held:
        assert client.get()[0] == 200
    open_now = lb.process.descriptors()
    set_files(lb, open_now)
    waiting = [Client(lb.public, timeout=40).send(GET) for _ in range(20)]
    eventually(lambda: "clients wait" in lb.process.log_text())
    before = lb.process.cpu_seconds()
    time.sleep(1)
    assert lb.process.is_sanitized() or lb.process.cpu_seconds() - before < 0.2
    status, _, body = admin.get("/metrics")
    assert status == 200 and b'missing="descriptors"' in body
    for client in waiting:  # as those who are idle go, at the latest after a second, these come in
        assert client.response()[0] == 200
        client.close()
    for client in held:
        client.close()
    set_files(lb, 400)
    assert ask(lb.public)[0] == 200
    assert lb.metric("lb_listener_pauses_total", missing="descriptors") >= 1
    assert lb.metric("lb_request_outcomes_total", outcome="local_error") == 0


def set_files(lb, count):
    resource.prlimit(lb.process.pid, resource.RLIMIT_NOFILE, (count, 400))
