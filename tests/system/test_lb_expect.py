"""Expect: 100-continue both ways (RFC 9110 §10.1.1), interim responses, trailer fields."""
from system.upstream import Client, RawServer, response

POST = "POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"


def plain(server):
    return f"upstreams: ['{server.address}']\n"


def test_the_server_decides_whether_the_body_is_wanted(start_lb):
    def serve(connection, stream, head):
        if head.startswith("POST /no"):
            connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
            return "close"
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(response(body=stream.read(3)))

    server = RawServer(serve)
    lb = start_lb(plain(server))
    client = Client(lb.public).send(POST.format("yes"))
    assert client.response()[0] == 100
    assert client.send("abc").response()[2] == b"abc"
    assert "Expect: 100-continue\r\n" in server.heads[0]
    client.send(POST.format("no"))
    status, fields, body = client.response()
    assert (status, body, fields["connection"]) == (413, b"no", "close"), "refused before a byte of its body was sent"
    assert client.is_closed()


def test_a_server_that_knows_no_expectation_does_not_keep_the_client_waiting(start_lb):
    def serve(connection, stream, head):
        connection.sendall(response(body=stream.read(3)))

    client = Client(start_lb(plain(RawServer(serve))).public).send(POST.format(""))
    assert client.response()[0] == 100, "said by lb after a while"
    assert client.send("abc").response()[2] == b"abc"


def test_a_client_that_does_not_wait_is_sent_no_100(start_lb):
    def serve(connection, stream, head):
        body = stream.read(3)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + response(body=body))

    client = Client(start_lb(plain(RawServer(serve))).public).send(POST.format("") + "abc")
    assert client.response()[2] == b"abc"


def test_a_second_attempt_after_the_100_does_not_ask_again(start_lb):
    def dies(connection, stream, head):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        stream.read(3)
        return "close"

    def serves(connection, stream, head):
        connection.sendall(response(body=stream.read(3)))

    first, second = RawServer(dies), RawServer(serves)
    lb = start_lb(f"workers: 1\nupstreams: ['{first.address}', '{second.address}']\nretry: {{body_buffer: 1KiB}}\n")
    for _ in range(2):  # whoever is first
        client = Client(lb.public).send(POST.format("").replace("POST", "PUT"))
        assert client.response()[0] == 100
        assert client.send("abc").response()[2] == b"abc"
    assert any("Expect" not in head for head in second.heads)


def test_other_interim_responses_pass(start_lb):
    def serve(connection, stream, head):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + response())

    client = Client(start_lb(plain(RawServer(serve))).public)
    status, fields, _ = client.get()
    assert (status, fields["link"]) == (103, "</a.css>")
    assert client.response()[0] == 200
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.response()[0] == 200, "HTTP/1.0 knows no interim responses"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 42\r\nContent-Length: 9\r\n\r\n"


def read_all(client, end):
    data = b""
    while not data.endswith(end):
        piece = client.socket.recv(65536)
        assert piece, data
        data += piece
    return data


def test_trailers_of_a_response_reach_a_client_that_takes_them(start_lb):
    lb = start_lb(plain(RawServer(lambda connection, stream, head: connection.sendall(CHUNKED))))
    client = Client(lb.public).send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
    data = read_all(client, b"0\r\nX-Sum: 42\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in data and b"Content-Length" not in data
    client = Client(lb.public)
    status, fields, body = client.get()
    assert (status, body, fields.get("content-length")) == (200, b"hi", "2"), "and no other"


def test_trailers_of_a_streamed_response_pass(start_lb):
    def serve(connection, stream, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n2\r\nhi\r\n")
        connection.sendall(b"0\r\nX-Sum: 42\r\n\r\n")

    lb = start_lb(plain(RawServer(serve)))
    client = Client(lb.public).send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
    assert read_all(client, b"0\r\nX-Sum: 42\r\n\r\n").count(b"hi") == 1


def test_trailers_of_a_request_reach_every_server_that_is_tried(start_lb):
    seen = []

    def serve(connection, stream, head):
        body = b""
        while not body.endswith(b"\r\n\r\n"):
            body += stream.readline()
        seen.append(body)
        if len(seen) == 1:
            return "close"
        connection.sendall(response())

    one, two = RawServer(serve), RawServer(serve)
    lb = start_lb(f"upstreams: ['{one.address}', '{two.address}']\n")
    client = Client(lb.public).send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n")
    assert client.response()[0] == 200
    assert seen == [b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"] * 2
