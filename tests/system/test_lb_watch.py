"""What an engineer sees of lb while it works: its events as they come, and the requests that have ended, those that did not go
well above all."""
import contextlib
import json
import os
import signal
import threading

import pytest
from system.upstream import Client, ask, eventually, response


class Watcher:
    """Reads /events: (name, data) of each."""

    def __init__(self, lb):
        self.client = Client(lb.admin, 20)
        self.client.send(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{lb.admin}\r\n\r\n")
        self.events = []
        self.head = b""
        self.is_over = False
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        text = b""
        while True:
            try:
                more = self.client.socket.recv(65536)
            except OSError:
                more = b""
            text += more
            if not self.head and b"\r\n\r\n" in text:
                self.head, _, text = text.partition(b"\r\n\r\n")
            while self.head and b"\n\n" in text:
                one, _, text = text.partition(b"\n\n")
                if one.startswith(b"event: "):
                    name, data = one.decode().split("\n")
                    self.events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
            if not more:
                self.is_over = True
                return

    def all(self, name):
        return [data for known, data in self.events if known == name]

    def close(self):
        with contextlib.suppress(OSError):  # lb has closed it
            self.client.socket.shutdown(2)
        self.thread.join(20)
        self.client.close()


@pytest.fixture
def watch():
    watchers = []

    def start(lb):
        watchers.append(Watcher(lb))
        return watchers[-1]
    yield start
    for watcher in watchers:
        watcher.close()


def one(start_lb, upstream, more="", answer=None):
    server = upstream(answer or (lambda request: response()))
    return start_lb(f"workers: 2\nupstreams: [{{address: '{server.address}', name: one}}]\n"
                    f"health: {{uri: /health, interval: 50ms}}\n{more}"), server


def post(lb, path):
    client = Client(lb.admin)
    client.send(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{lb.admin}\r\nContent-Length: 0\r\n\r\n")
    assert client.response()[0] == 200
    client.close()


# --- Events ---------------------------------------------------------------------------------------------------------

def test_events_begin_with_the_states_and_tell_each_change(start_lb, upstream, watch):
    lb, _ = one(start_lb, upstream)
    watcher, other = watch(lb), watch(lb)
    eventually(lambda: watcher.all("upstream state") and other.all("upstream state"))
    assert b"200 OK" in watcher.head and b"Content-Type: text/event-stream" in watcher.head
    first, = watcher.all("upstream state")
    assert first == {**first, "level": "info", "pool": "default", "server": "one", "to": "healthy"} and first["why"] and "from" not in first
    post(lb, "/upstreams/default/one/disable")
    eventually(lambda: len(watcher.all("upstream state")) == 2 and len(other.all("upstream state")) == 2)
    change = watcher.all("upstream state")[1]
    assert change == {**change, "from": "healthy", "to": "down", "why": "the operator disabled it"}
    assert change["time"] >= first["time"] and change["time"].endswith("Z")


def test_who_comes_when_all_others_have_left_is_told_as_well(start_lb, upstream, watch):
    lb, _ = one(start_lb, upstream)
    first = watch(lb)
    eventually(lambda: first.events)
    first.close()
    for action in ("disable", "enable") * 3:  # the stream is found to be broken, and ends
        post(lb, f"/upstreams/default/one/{action}")
    second = watch(lb)
    eventually(lambda: second.events)
    post(lb, "/upstreams/default/one/disable")
    eventually(lambda: len(second.all("upstream state")) == 2)


def test_events_tell_of_a_reload_and_of_the_end(start_lb, upstream, watch):
    lb, _ = one(start_lb, upstream)
    watcher = watch(lb)
    eventually(lambda: watcher.events)
    with open(lb.config, "a") as text:
        text.write("nonsense: 1\n")
    os.kill(lb.process.pid, signal.SIGHUP)
    eventually(lambda: watcher.all("not reloaded"))
    assert "nonsense" in watcher.all("not reloaded")[0]["why"] and watcher.all("not reloaded")[0]["level"] == "error"
    lb.stop()
    eventually(lambda: watcher.is_over)
    assert watcher.all("draining")


def test_who_watches_is_sent_to_the_process_that_takes_over(start_lb, upstream, watch):
    release = []

    def hold(connection):
        eventually(lambda: release)
        connection.sendall(response())
    lb, server = one(start_lb, upstream, answer=lambda request: hold)
    watcher, busy = watch(lb), Client(lb.public, 20)
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: watcher.events and server.requests)
    old = lb.upgrade()
    eventually(lambda: watcher.is_over)
    assert old.is_running(), "it has a request to end"
    again = watch(lb)
    eventually(lambda: again.all("upstream state"))
    release.append(True)
    assert busy.response()[0] == 200 and old.wait(30) == 0


def test_too_many_watchers_are_refused_and_who_left_makes_room(start_lb, upstream, watch):
    lb, _ = one(start_lb, upstream)
    watchers = [watch(lb) for _ in range(16)]
    eventually(lambda: all(watcher.events for watcher in watchers))
    assert ask(lb.admin, "/events")[0] == 503
    watchers[0].close()

    def tells_of_another():
        post(lb, "/upstreams/default/one/disable")  # which finds out that somebody left
        post(lb, "/upstreams/default/one/enable")
        watcher = watch(lb)
        eventually(lambda: watcher.head)
        return b"200 OK" in watcher.head
    eventually(tells_of_another)


def test_a_watcher_that_reads_nothing_is_left_and_holds_up_nobody(start_lb, upstream, watch):
    lb, _ = one(start_lb, upstream)
    lazy = Client(lb.admin, 20)
    lazy.send(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{lb.admin}\r\n\r\n")
    watcher = watch(lb)
    eventually(lambda: watcher.events)
    for number in range(30):
        post(lb, f"/upstreams/default/one/{'enable' if number % 2 else 'disable'}")
    eventually(lambda: len(watcher.all("upstream state")) == 31)
    assert ask(lb.public)[0] == 200
    lazy.close()


def test_a_head_request_has_no_stream(start_lb, upstream):
    lb, _ = one(start_lb, upstream)
    client = Client(lb.admin)
    for _ in range(2):
        client.send(f"HEAD /events HTTP/1.1\r\nHost: 127.0.0.1:{lb.admin}\r\n\r\n")
        status, fields, body = client.response(to_head=True)
        assert (status, fields["content-type"], body) == (200, "text/event-stream", b"")
    client.close()


# --- Requests -------------------------------------------------------------------------------------------------------

def requests(lb, query=""):
    status, fields, body = ask(lb.admin, "/requests" + query, host="localhost")
    assert status == 200 and fields["content-type"] == "application/json"
    return json.loads(body)["requests"]


def test_a_request_that_was_saved_by_a_second_attempt_is_told_with_both(start_lb, upstream):
    dead, alive = upstream(lambda request: None), upstream(lambda request: response(body=b"ok"))
    lb = start_lb(f"upstreams: [{{address: '{dead.address}', name: dead}}, {{address: '{alive.address}', name: alive}}]\n"
                  "policy: first\npassive: {max_fails: 0}\n")
    assert ask(lb.public, "/a?b=c")[2] == b"ok"
    only, = requests(lb, "?troubled=1")
    assert (only["path"], only["query"], only["status"], only["outcome"]) == ("/a", "b=c", 200, "answered")
    assert [attempt["server"] for attempt in only["attempts"]] == ["dead", "alive"]
    assert only["attempts"][0]["result"] != "ok" and only["attempts"][1]["result"] == "ok"


def test_what_did_not_go_well_outlives_what_did_and_the_newest_come_first(start_lb, upstream):
    fails = upstream(lambda request: response(503 if request.target == "/bad" else 200))
    lb = start_lb(f"workers: 2\nupstreams: ['{fails.address}']\nadmin: {{listen: 127.0.0.1:0, recent_requests: 5}}\n")
    assert ask(lb.public, "/bad")[0] == 503

    def pushed_out():
        for number in range(20):
            ask(lb.public, f"/good{number}")
        return len(requests(lb)) == 11  # two workers, five of each, and the one
    eventually(pushed_out)
    everything = requests(lb)
    assert [one["time"] for one in everything] == sorted((one["time"] for one in everything), reverse=True)
    assert [one["path"] for one in everything].count("/bad") == 1 and everything[-1]["path"] == "/bad"
    assert [one["path"] for one in requests(lb, "?troubled=1&limit=5")] == ["/bad"]
    assert requests(lb, "?limit=3") == everything[:3]


def test_what_was_no_request_is_told_too_and_pushes_nothing_out(start_lb, upstream):
    lb, _ = one(start_lb, upstream)
    client = Client(lb.public)
    assert client.send("GET nonsense\r\n\r\n").response()[0] == 400
    client.close()
    only, = requests(lb)
    assert (only["outcome"], only["status"]) == ("refused", 400) and only["reason"] and only["why"] and "path" not in only
    assert requests(lb, "?troubled=1") == []


def test_a_question_that_is_not_understood_is_answered_400(start_lb, upstream):
    lb, _ = one(start_lb, upstream)
    for query in ("?troubled=yes", "?limit=0", "?limit=10001", "?limit=", "?limit=5x", "?limit=99999999999999999999999", "?what=1"):
        status, _, body = ask(lb.admin, "/requests" + query, host="localhost")
        assert status == 400 and b"limit=1 to 10000" in body, query


def test_none_are_kept_where_none_are_wanted(start_lb, upstream):
    server = upstream(lambda request: response(500))
    lb = start_lb(f"upstreams: ['{server.address}']\nadmin: {{listen: 127.0.0.1:0, recent_requests: 0}}\n")
    assert ask(lb.public)[0] == 500 and requests(lb) == []


def test_clients_requests_are_told_to_nobody_without_the_token_that_is_wanted(start_lb, upstream):
    server = upstream(lambda request: response())
    lb = start_lb(f"upstreams: ['{server.address}']\nadmin: {{listen: 127.0.0.1:0, token: secret}}\n")
    for path in ("/requests", "/debug/exchanges"):
        assert ask(lb.admin, path, host="localhost")[0] == 401
        client = Client(lb.admin)
        client.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{lb.admin}\r\nAuthorization: Bearer secret\r\n\r\n")
        assert client.response()[0] == 200
        client.send(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer secret\r\n\r\n")
        assert client.response()[0] == 403, "a page that has its name lead here"
        client.close()
