"""Who gets the next request: policies, weights, limits, backups."""
import json
import time
from collections import Counter

from system.upstream import Client, Upstream, ask, eventually, response


def named(upstream, count):
    """So many servers, each of which answers with its address."""
    servers = []
    for number in range(count):
        servers.append(upstream(lambda request, number=number: response(body=str(number).encode())))
    return servers


def listed(servers):
    return "[" + ", ".join(f"'{server.address}'" for server in servers) + "]"


def picks(lb, count, **options):
    client = Client(lb.public)
    names = Counter(int(client.get(**options)[2]) for _ in range(count))
    client.close()
    return names


def test_weights_are_shares(start_lb, upstream):
    servers = named(upstream, 2)
    lb = start_lb(f"workers: 1\nupstreams: [{{address: '{servers[0].address}', weight: 3}}, '{servers[1].address}']\n")
    assert picks(lb, 40) == {0: 30, 1: 10}


def test_first_takes_the_first_that_lives(start_lb, upstream):
    servers = named(upstream, 3)
    lb = start_lb(f"policy: first\nupstreams: {listed(servers)}\nhealth: {{uri: /health, interval: 50ms}}\n")
    assert picks(lb, 10) == {0: 10}
    servers[0].die()
    eventually(lambda: lb.states()[servers[0].address] != "healthy")
    assert picks(lb, 10) == {1: 10}


def test_random_and_least_requests_use_every_server(start_lb, upstream):
    for policy in ("random", "least_requests"):
        servers = named(upstream, 3)
        lb = start_lb(f"policy: {policy}\nupstreams: {listed(servers)}\n")
        assert set(picks(lb, 100)) == {0, 1, 2}, policy


def test_hash_keeps_a_key_at_its_server_and_moves_it_only_when_that_one_goes(start_lb, upstream):
    servers = named(upstream, 4)
    lb = start_lb(f"policy: hash cookie sid\nupstreams: {listed(servers)}\nhealth: {{uri: /health, interval: 50ms}}\n")

    def homes():
        return {key: int(ask(lb.public, fields=[("Cookie", f"a=b; sid={key}")])[2]) for key in range(40)}
    before = homes()
    assert set(before.values()) == {0, 1, 2, 3}
    assert homes() == before, "whatever the worker and the connection"
    servers[2].die()
    eventually(lambda: lb.states()[servers[2].address] != "healthy")
    after = homes()
    assert {key for key in before if before[key] != after[key]} == {key for key in before if before[key] == 2}
    servers[2].listen()
    eventually(lambda: lb.states()[servers[2].address] == "healthy")
    assert homes() == before
    assert len(picks(lb, 60)) == 4, "requests without the cookie go anywhere"


def test_hash_by_path_header_and_client(start_lb, upstream):
    servers = named(upstream, 4)
    lb = start_lb(f"policy: hash path\nupstreams: {listed(servers)}\n")
    assert len({ask(lb.public, f"/a?{i}")[2] for i in range(12)}) == 1
    assert len({ask(lb.public, f"/{i}")[2] for i in range(40)}) == 4
    lb = start_lb(f"policy: hash header X-User\nupstreams: {listed(servers)}\n")
    assert len({ask(lb.public, f"/{i}", [("x-user", "7")])[2] for i in range(12)}) == 1
    assert len({ask(lb.public, "/", [("X-User", str(i))])[2] for i in range(40)}) == 4
    lb = start_lb(f"policy: hash client_ip\nupstreams: {listed(servers)}\n")
    assert len({ask(lb.public, f"/{i}")[2] for i in range(12)}) == 1
    lb = start_lb(f"lb_policy: ip_hash\ntrusted_proxies: [127.0.0.1]\nupstreams: {listed(servers)}\n")
    assert len({ask(lb.public, f"/{i}", [("X-Forwarded-For", f"6.6.6.6, 10.0.0.{i}")])[2] for i in range(40)}) == 4
    assert len({ask(lb.public, f"/{i}", [("X-Forwarded-For", f"10.0.0.{i}, 6.6.6.6")])[2] for i in range(12)}) == 1
    forms = ("6.6.6.6", "6.6.6.6:4711", "::ffff:6.6.6.6", "7.7.7.7, 6.6.6.6, 127.0.0.1")
    assert len({ask(lb.public, "/", [("X-Forwarded-For", form)])[2] for form in forms}) == 1


def test_backups_stand_by(start_lb, upstream):
    servers = named(upstream, 3)
    lb = start_lb(f"upstreams: ['{servers[0].address}', {{address: '{servers[1].address}', backup: true}},"
                  f" {{address: '{servers[2].address}', backup: true}}]\nhealth: {{uri: /health, interval: 50ms}}\n")
    assert picks(lb, 20) == {0: 20}
    servers[0].die()
    eventually(lambda: lb.states()[servers[0].address] != "healthy")
    assert set(picks(lb, 20)) == {1, 2}
    servers[0].listen()
    eventually(lambda: lb.states()[servers[0].address] == "healthy")
    assert picks(lb, 20) == {0: 20}


def test_a_full_server_makes_requests_wait_their_turn_and_is_never_given_more(start_lb, upstream):
    busy, most, order = [], [], []

    def answer(request):
        def slowly(connection):
            busy.append(request)
            most.append(len(busy))
            order.append(request.target)
            time.sleep(0.02)
            busy.remove(request)
            connection.sendall(response())
        return slowly
    server = upstream(answer)
    lb = start_lb(f"workers: 2\nupstreams: [{{address: '{server.address}', max_requests: 3}}]\nretry: {{deadline: 20s}}\n")
    clients = []
    for number in range(40):
        client = Client(lb.public)
        client.send(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")
        clients.append(client)
        if number == 20:
            eventually(lambda: lb.metric("lb_queue_length") > 0)
    assert [client.response()[0] for client in clients] == [200] * 40
    assert max(most) == 3 and len(order) == 40
    assert lb.metric("lb_queued_total") >= 20
    for client in clients:
        client.close()


def test_the_queue_has_a_size_and_a_deadline(start_lb, upstream):
    release = []

    def hold(connection):
        eventually(lambda: release)
        connection.sendall(response())
    server = upstream(lambda request: hold)
    lb = start_lb(f"workers: 1\nupstreams: [{{address: '{server.address}', max_requests: 1}}]\n"
                  "retry: {deadline: 400ms}\nqueue: {size: 2}\n")
    clients = [Client(lb.public) for _ in range(4)]
    for number, client in enumerate(clients):
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        if number < 3:
            eventually(lambda: lb.metric("lb_queue_length") == number and server.requests)
    assert clients[3].response()[0] == 503
    assert lb.metric("lb_local_errors_total", reason="queue_full") == 1
    assert [clients[number].response()[0] for number in (1, 2)] == [503, 503]
    assert lb.metric("lb_local_errors_total", reason="destination_unavailable") == 2
    release.append(True)
    assert clients[0].response()[0] == 200
    assert len(server.requests) == 1


STEP, STEP_SECONDS = 4, 0.05  # WaitQueue::kStep and kStepTime


def test_the_first_server_back_is_not_buried(start_lb):
    """All that waited is served: a few at first, then two for each answer, and more as time passes without one."""
    back_since, came, answered, too_many = [], [], [], []

    def answer(request):
        if request.target == "/health":
            back_since.append(time.monotonic())
            return response()
        came.append(request)
        # First the count, then what allows it, measured from before lb knew that the server is back: a busy machine
        # only makes it more.
        count = len(came)
        steps = int((time.monotonic() - back_since[0]) / STEP_SECONDS)
        # A step, and its double after each kStepTime, together; and one step more, as the state may change twice.
        if count > STEP * 2 ** (steps + 1) + 2 * len(answered):
            too_many.append(f"{count} requests after {steps} steps and {len(answered)} responses")

        def slowly(connection):
            time.sleep(0.02)  # short beside STEP_SECONDS: what comes then is allowed by responses, not by time
            answered.append(request)
            connection.sendall(response())
        return slowly
    server = Upstream(answer, probes=False)
    server.die()
    lb = start_lb(f"workers: 1\nupstreams: ['{server.address}']\nhealth: {{uri: /health, interval: 50ms}}\n")
    clients = []
    for _ in range(60):
        client = Client(lb.public)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        clients.append(client)
    eventually(lambda: lb.metric("lb_queue_length") == 60)
    server.listen()
    assert [client.response()[0] for client in clients] == [200] * 60
    assert not too_many, too_many
    server.close()


def come_back(lb, server):
    """The server dies, lb sees it, and it lives again."""
    server.die()
    eventually(lambda: lb.states()[server.address] != "healthy")
    server.listen()
    eventually(lambda: lb.states()[server.address] == "healthy")


def test_who_comes_back_starts_slowly(start_lb, upstream):
    servers = named(upstream, 2)
    lb = start_lb(f"workers: 1\nslow_start: 1h\nupstreams: {listed(servers)}\nhealth: {{uri: /health, interval: 20ms}}\n")
    assert picks(lb, 40) == {0: 20, 1: 20}, "not at start-up"
    come_back(lb, servers[0])
    assert lb.metric("lb_upstream_weight_percent", upstream=servers[0].address) == 10
    picks(lb, 110)  # evens out what the change of shares has left
    assert picks(lb, 110) == {0: 10, 1: 100}
    explained = json.loads(lb.get_admin(f"/upstreams/default/{servers[0].address}/explain"))
    assert explained["weight_percent"] == 10 and round(explained["share"], 3) == 0.091
    servers[1].die()
    assert set(picks(lb, 10)) == {0}, "alone it gets all"


def test_a_slow_start_ends(start_lb, upstream):
    servers = named(upstream, 2)
    lb = start_lb(f"workers: 1\nslow_start: 500ms\nupstreams: {listed(servers)}\nhealth: {{uri: /health, interval: 20ms}}\n")
    come_back(lb, servers[0])
    seen = set()

    def percent():
        seen.add(lb.metric("lb_upstream_weight_percent", upstream=servers[0].address))
        return max(seen)
    eventually(lambda: percent() == 100)
    assert min(seen) < 100
    picks(lb, 20)
    assert picks(lb, 40) == {0: 20, 1: 20}
