"""The fixed exchanges: what is sent to lb and shortener, one request at a time."""
import contextlib
import os
import subprocess
import time

from stack import ports
from stack.patience import patient
from stack.postgres import Postgres
from stack.process import Failed, own, unprivileged_user
from stack.programs import Lb, Shortener, built
from stack.redis import Redis
from system.upstream import Client, Upstream, response

from .counters import fixed

TARGET = "https://example.com/where/it/leads"
BROWSER = ("Host: links.example\r\n"
           "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
           "Accept: text/html,application/xhtml+xml\r\n"
           "Accept-Language: en\r\n"
           "Accept-Encoding: gzip, deflate\r\n")
# What lb adds on the way to shortener.
FORWARDED = ("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: links.example\r\n"
             "X-Request-ID: 0123456789abcdef0123456789abcdef\r\nVia: 1.1 lb\r\n")
# recent_requests: lb keeps a sample of successful requests, at most one in 10 ms, so its cost depends on the machine's speed.
LB = """
listen: 127.0.0.1:0
admin: {{ listen: "127.0.0.1:0", recent_requests: 0 }}
workers: 1
upstreams: ["{upstream}"]
connections: {{ idle_timeout: 1h }}
"""
# The cached link and the recorded clicks stay where they are during the measurement, and no timeout ends anything on a
# slow machine.
SHORTENER = {"API_AUTH": "open", "RATE_LIMIT_ADDRESS": "0", "SHUTDOWN_DELAY": "0s",
             "CACHE_TTL": "1h", "CACHE_TTL_UNPROVEN": "1h", "CLICKS_INTERVAL": "1m",
             "REDIS_TIMEOUT_CONNECT": "30s", "REDIS_TIMEOUT_COMMAND": "10s", "DATABASE_TIMEOUT_CONNECT": "30s",
             "DATABASE_TIMEOUT_LOOKUP": "30s", "DATABASE_TIMEOUT_WRITE": "30s"}


def check(answer, status, body_bytes):
    if (answer[0], len(answer[2] or b"")) != (status, body_bytes):
        raise Failed(f"unexpected response: {answer}")


class KeepAlive:
    """Requests on one connection."""

    def __init__(self, process, port, request, status, body_bytes=0):
        self.client = Client(port)
        self.request = request
        self.expected = (status, body_bytes)
        self.count = 0

    def run(self, count):
        self.count += count
        for _ in range(count):
            check(self.client.send(self.request).response(), *self.expected)


class Connections:
    """A new connection for each request. It is opened when the server has closed the one before: two connections in one
    turn of its loop would need fewer system calls."""

    def __init__(self, process, port, request, status, body_bytes=0):
        self.process = process
        self.port = port
        self.request = request
        self.expected = (status, body_bytes)

    def run(self, count):
        before = self.process.descriptors()
        for _ in range(count):
            client = Client(self.port)
            check(client.send(self.request).response(), *self.expected)
            if not client.is_closed():
                raise Failed("the server sent bytes after its response")
            client.close()
            deadline = time.monotonic() + patient(10)
            while self.process.descriptors() > before:
                if time.monotonic() > deadline:
                    raise Failed("the server does not close its end of a connection")
                time.sleep(0.0002)


def upstream_response(request):
    fields = [("Date", "Sun, 29 Nov 2026 12:00:00 GMT"), ("Content-Type", "text/html; charset=utf-8")]
    if request.target == "/10KiB":
        return response(200, b"x" * 10240, fields)
    if request.method == "POST":
        return response(201, b"", fields, "Created")
    return response(302, b"", [*fields, ("Location", TARGET), ("Cache-Control", "private, max-age=0")], "Found")


def head(method, target, fields=""):
    return f"{method} {target} HTTP/1.1\r\n{BROWSER}{fields}\r\n"


@contextlib.contextmanager
def lb(counter):
    """lb under the counter: its process, and the exchanges by name."""
    upstream = Upstream(upstream_response)
    lb = Lb(LB.format(upstream=upstream.address), counter.folder)
    process = fixed(lb.process, counter)
    try:
        lb.start()
        yield process, {
            "lb: GET": KeepAlive(process, lb.public, head("GET", "/abc1234"), 302),
            "lb: POST of 1 KiB": KeepAlive(process, lb.public,
                                           head("POST", "/api", "Content-Type: text/plain\r\nContent-Length: 1024\r\n") + "x" * 1024, 201),
            "lb: response of 10 KiB": KeepAlive(process, lb.public, head("GET", "/10KiB"), 200, 10240),
            "lb: connection per request": Connections(process, lb.public, head("GET", "/abc1234", "Connection: close\r\n"), 302)}
    finally:
        lb.stop()
        upstream.close()


@contextlib.contextmanager
def stores(folder):
    """A PostgreSQL with one link and a Redis: the settings that name them."""
    user = unprivileged_user()
    data = os.path.join(folder, "stores")
    os.makedirs(data)
    own(data, user)
    primary = Postgres("primary", data, ports.free_port(), "cost", user, data, is_durable=False)
    redis = Redis(data, user, data)
    try:
        primary.create()
        primary.start().ensure_database()
        redis.start()
        settings = {"DATABASE_URL": primary.url(), "REDIS_URL": redis.url()}
        done = subprocess.run([built("shortener"), "migrate"], capture_output=True, text=True, env={**os.environ, **settings})
        if done.returncode != 0:
            raise Failed(f"shortener migrate failed:\n    {done.stderr.strip()}")
        primary.sql("INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at) "
                    f"VALUES ('', 'abc1234', '{TARGET}', sha256('{TARGET}'), now(), now())")
        yield settings
    finally:
        redis.stop()
        primary.stop()


@contextlib.contextmanager
def shortener(counter, settings):
    """shortener under the counter: its process, and the exchange by name."""
    app = Shortener("shortener", counter.folder, ports.free_port(), {**SHORTENER, **settings})
    process = fixed(app.process, counter)
    try:
        app.start()
        body = f'<!doctype html><title>Found</title><a href="{TARGET}">This way</a>\n'
        redirect = KeepAlive(process, app.port, head("GET", "/abc1234", FORWARDED), 302, len(body))
        yield process, {"shortener: redirect": redirect}
        cached, clicks = app.metric("shortener_resolve_total", source="cache"), app.metric("shortener_clicks_recorded_total")
        if cached < 0.95 * redirect.count or clicks != redirect.count:
            raise Failed(f"of {redirect.count} redirects {cached:g} came from the cache, and {clicks:g} clicks were recorded")
    finally:
        app.stop()
