"""Header rules of a pool, and what lb says of the client, as servers and clients see it."""
import json
import subprocess

import pytest
from stack.programs import built
from system.upstream import Client, RawServer, ask, eventually, response

RULES = """headers:
  request:
    set: {X-Env: prod, Host: inside.example, X-Forwarded-Proto: https}
    add: {X-Tag: [a, b], Via: 1.1 edge}
    remove: [Cookie, X-Secret]
  response:
    set: {Server: holdfast}
    add: {Strict-Transport-Security: max-age=300}
    remove: [X-Powered-By, X-Request-ID]
"""


def lb_for(start_lb, server, more=""):
    return start_lb(f"upstreams: ['{server.address}']\n{more}")


def test_a_request_is_changed_as_the_rules_say(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, RULES)
    fields = [("Cookie", "a=1"), ("cookie", "b=2"), ("X-Secret", "s"), ("x-env", "test"), ("X-Tag", "mine"), ("X-Own", "1")]
    assert ask(lb.public, fields=fields)[0] == 200
    seen = server.requests[-1]
    assert seen.all("Host") == ["inside.example"] and seen.get("X-Forwarded-Host") == "test.example"
    assert seen.all("X-Env") == ["prod"] and seen.all("X-Tag") == ["mine", "a", "b"]
    assert seen.all("X-Forwarded-Proto") == ["https"] and seen.all("Via") == ["1.1 lb", "1.1 edge"]
    assert seen.all("Cookie") == [] and seen.all("X-Secret") == [] and seen.get("X-Own") == "1"
    assert seen.get("X-Forwarded-For") == "127.0.0.1", "what no rule names stays"


def test_a_retry_is_changed_likewise(start_lb, upstream):
    dying, server = upstream(lambda request: None), upstream()
    lb = start_lb(f"upstreams: ['{dying.address}', '{server.address}']\nlb_policy: first\n{RULES}")
    assert ask(lb.public, fields=[("X-Secret", "s")])[0] == 200
    assert dying.requests[-1].all("X-Env") == server.requests[-1].all("X-Env") == ["prod"]
    assert server.requests[-1].all("X-Secret") == []


def test_a_body_and_its_framing_are_as_they_were(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, RULES)
    client = Client(lb.public)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    assert client.response()[0] == 200
    assert server.requests[-1].body == b"hello" and server.requests[-1].all("Content-Length") == ["5"]
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert client.response()[0] == 200
    assert server.requests[-1].body == b"hello" and server.requests[-1].all("Transfer-Encoding") == ["chunked"]


@pytest.mark.parametrize("streams", [False, True])
def test_a_response_is_changed_as_the_rules_say(start_lb, upstream, streams):
    fields = [("Server", "nginx"), ("X-Powered-By", "PHP"), ("X-Own", "1")] + [("X-Accel-Buffering", "no")] * streams
    lb = lb_for(start_lb, upstream(lambda request: response(body=b"well", fields=fields)), RULES)
    status, seen, body = ask(lb.public)
    assert status == 200 and body == b"well"
    assert seen["server"] == "holdfast" and seen["strict-transport-security"] == "max-age=300" and seen["x-own"] == "1"
    assert "x-powered-by" not in seen and "x-request-id" not in seen


def test_a_trailer_that_is_removed_does_not_go_on(start_lb, upstream):
    chunked = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Powered-By, X-Sum\r\n\r\n"
               b"2\r\nok\r\n0\r\nX-Powered-By: PHP\r\nX-Sum: 7\r\n\r\n")
    lb = lb_for(start_lb, upstream(lambda request: chunked), RULES)
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n")
    answer = client.stream.read()
    assert b"X-Sum: 7\r\n" in answer and b"PHP" not in answer


def test_an_answer_of_lbs_own_stays_as_it_is(start_lb, upstream):
    server = upstream()
    server.die()
    lb = lb_for(start_lb, server, RULES + "lb_try_duration: 0s\n")
    status, seen, _ = ask(lb.public)
    assert status in (502, 503) and "server" not in seen and "x-request-id" in seen


@pytest.mark.parametrize("text, wanted", [
    ("headers: {request: {set: {Content-Length: 5}}}", "headers.request.set.Content-Length: '5': this field is lb's own business"),
    ("headers: {response: {remove: [Connection]}}", "headers.response.remove: 'Connection': this field is lb's own business"),
    ('headers: {request: {add: {X-Y: "a\\r\\nX-Z: b"}}}', "headers.request.add.X-Y: "),
    ("headers: {request: {set: {'X Y': a}}}", "headers.request.set.X Y: 'a': not the name of a header field; use letters, digits and '-'"),
    ("headers: {response: {set: {Host: a}}}", "not a host"),
    ("headers: {request: {set: {X-Y: [a, b]}}}", "set twice"),
    ("headers: {request: {set: [X-Y]}}", "headers.request.set: not a map"),
    ("headers: {request: {set: {X-Y: {a: b}}}}", "headers.request.set.X-Y: not a single value"),
    ("headers: {request: {sets: {X-Y: a}}}", "did you mean 'set'?"),
])
def test_a_rule_that_may_not_be_is_told_with_its_place(tmp_path, text, wanted):
    file = tmp_path / "lb.yaml"
    file.write_text(f"listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0}}\nupstreams: [127.0.0.1:1]\n{text}\n")
    done = subprocess.run([built("lb"), "check", str(file)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and wanted in done.stderr and f"{file}:4:" in done.stderr, done.stderr


def test_the_dump_says_the_rules_and_is_read_again(tmp_path):
    file = tmp_path / "lb.yaml"
    file.write_text(f"listen: 127.0.0.1:0\nadmin: {{listen: 127.0.0.1:0}}\nupstreams: [127.0.0.1:1]\n{RULES}")

    def dump(path):
        done = subprocess.run([built("lb"), "check", str(path), "--dump-config"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout
    again = tmp_path / "again.yaml"
    again.write_text(dump(file))
    assert 'X-Tag": ["a", "b"]' in dump(file)
    assert dump(again) == dump(file)


# --- Who asks ---------------------------------------------------------------------------------------------------------


def test_what_a_stranger_says_of_itself_is_replaced(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server)
    said = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"), ("X-Request-ID", "mine")]
    assert ask(lb.public, fields=said)[0] == 200
    seen = server.requests[-1]
    assert seen.all("X-Forwarded-For") == ["127.0.0.1"] and seen.all("X-Forwarded-Proto") == ["http"]
    assert seen.all("X-Forwarded-Host") == ["test.example"] and seen.get("X-Request-ID") != "mine"


def test_a_chain_of_trusted_proxies_is_kept_and_goes_on(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, "trusted_proxies: [127.0.0.0/8]\n")
    said = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", "198.51.100.2, 10.0.0.1"), ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.example"), ("X-Request-ID", "theirs")]
    status, fields, _ = ask(lb.public, fields=said)
    assert status == 200 and fields["x-request-id"] == "theirs"
    seen = server.requests[-1]
    chain = [one.strip() for line in seen.all("X-Forwarded-For") for one in line.split(",")]
    assert chain == ["203.0.113.7", "198.51.100.2", "10.0.0.1", "127.0.0.1"]
    assert seen.all("X-Forwarded-Proto") == ["https"] and seen.all("X-Forwarded-Host") == ["shop.example"]
    assert seen.all("X-Request-ID") == ["theirs"]


def test_a_client_cannot_name_away_who_it_is(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, "trusted_proxies: [127.0.0.0/8]\n")
    client = Client(lb.public)
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close, X-Forwarded-For\r\n\r\n")
    assert client.response()[0] == 200
    assert "203.0.113.7" in server.requests[-1].get("X-Forwarded-For")


FAMILY = ("Forwarded", "X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Forwarded-Server",
          "X-Forwarded-Scheme", "x-forwarded-user", "X-FORWARDED-ANYTHING")
UNDERSCORES = ("X_Forwarded_For", "X_Forwarded-Proto", "x_real_ip", "X_Request_ID", "Content_Length", "X_Own")


def test_untrusted_clients_cannot_say_whom_they_serve(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server)
    assert ask(lb.public, fields=[(name, "evil") for name in FAMILY + UNDERSCORES] + [("X-Own", "1")])[0] == 200
    seen = server.requests[-1]
    assert "evil" not in [value for _, value in seen.fields] and seen.get("X-Own") == "1"


def test_trusted_proxies_say_whom_they_serve_but_not_with_underscores(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, "trusted_proxies: [127.0.0.1]\n")
    assert ask(lb.public, fields=[(name, "told") for name in FAMILY + UNDERSCORES])[0] == 200
    assert {name for name, value in server.requests[-1].fields if value == "told"} == set(FAMILY)


def test_underscores_pass_by_configuration_except_in_what_only_proxies_say(start_lb, upstream):
    server = upstream()
    lb = lb_for(start_lb, server, "headers: {request: {underscores: true}}\n")
    assert ask(lb.public, fields=[(name, "told") for name in FAMILY + UNDERSCORES])[0] == 200
    assert {name for name, value in server.requests[-1].fields if value == "told"} == {"Content_Length", "X_Own"}


@pytest.mark.parametrize("trailers", ["X_Real_IP: evil\r\nX_Sum: evil\r\n", "X-Real-IP: evil\r\nForwarded: for=evil\r\nX-Forwarded-Port: evil\r\n"])
def test_trailers_say_no_more_than_headers(start_lb, trailers):
    def serve(connection, stream, head):
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            got += stream.readline()
        sent.append(got)
        connection.sendall(response())

    sent = []
    server = RawServer(serve)
    try:
        client = Client(lb_for(start_lb, server).public)
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{trailers}X-Sum: 1\r\n\r\n")
        assert client.response()[0] == 200
        assert sent[-1].endswith(b"\r\n0\r\nX-Sum: 1\r\n\r\n"), sent
    finally:
        server.close()


# --- Host -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_text", ["GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.0\r\nHost:\r\n\r\n", "GET /a HTTP/1.1\r\nHost: \r\n\r\n",
                                          "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"])
def test_a_request_without_host_gets_that_of_its_server(start_lb, upstream, request_text):
    dead, server = upstream(), upstream()
    dead.die()
    inner = start_lb(f"upstreams: ['{dead.address}', '{server.address}']\n")
    outer = start_lb(f"upstreams: ['127.0.0.1:{inner.public}']\n")
    for lb, host in ((inner, server.address), (inner, server.address), (outer, f"127.0.0.1:{inner.public}")):
        client = Client(lb.public)
        client.send(request_text)
        assert client.response()[0] == 200
        seen = server.requests[-1]
        assert seen.fields[0] == ("Host", host) and seen.all("Host") == [host]
        assert seen.get("X-Forwarded-Host") == (host if lb is outer else None)


def test_a_configured_host_outweighs_that_of_the_server(start_lb, upstream):
    server = upstream()
    client = Client(lb_for(start_lb, server, "headers: {request: {set: {Host: inside.example}}}\n").public)
    client.send("GET / HTTP/1.0\r\n\r\n")
    assert client.response()[0] == 200 and server.requests[-1].all("Host") == ["inside.example"]


# --- IPv4 clients of an IPv6 listener -----------------------------------------------------------------------------------


@pytest.mark.parametrize("trusted", ["127.0.0.1/32", "::ffff:127.0.0.0/104"])
def test_an_ipv4_client_of_an_ipv6_listener_is_an_ipv4_client(start_lb, upstream, tmp_path, trusted):
    server, log = upstream(), tmp_path / "access.log"
    more = f"listen: '[::]:0'\nlog: {{access: '{log}'}}\n"
    assert ask(lb_for(start_lb, server, more).public, fields=[("X-Forwarded-Proto", "https")])[0] == 200
    assert server.requests[-1].get("X-Forwarded-For") == "127.0.0.1"
    assert server.requests[-1].get("X-Forwarded-Proto") == "http"
    lb = lb_for(start_lb, server, more + f"trusted_proxies: ['{trusted}']\n")
    assert ask(lb.public, fields=[("X-Forwarded-For", "::ffff:203.0.113.7"), ("X-Forwarded-Proto", "https")])[0] == 200
    assert server.requests[-1].get("X-Forwarded-For") == "::ffff:203.0.113.7, 127.0.0.1"
    assert server.requests[-1].get("X-Forwarded-Proto") == "https"
    eventually(lambda: len(log.read_text().splitlines()) == 2)
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert (first["client"], first.get("peer", "127.0.0.1")) == ("127.0.0.1", "127.0.0.1")
    assert (second["client"], second["peer"]) == ("203.0.113.7", "127.0.0.1")
