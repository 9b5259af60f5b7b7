"""The whole system: links through lb, and each dependency taken away while they are followed."""
import json
import signal
import subprocess
import threading
import time
import urllib.request

import pytest
from stack.patience import patient
from stack.ports import free_port
from stack.programs import Shortener, built
from stack.stack import create_link, follow_once
from system.upstream import Client, Upstream, ask, eventually


def make(stack, target="https://example.com/", **options):
    status, link = create_link(stack.url(), target, **options)
    assert status == 201, link
    return link["shortCode"]


def post(port, body, content_type="application/json"):
    client = Client(port)
    client.send(f"POST /api/v1/links HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    status, fields, answer = client.response()
    client.close()
    return status, fields, json.loads(answer)


def is_whole(stack):
    """Every instance sees each dependency again, and lb each instance."""
    checks = [app.health()[1] for app in stack.apps]
    return all(check["status"] == "pass" for check in checks) and set(stack.lb.states().values()) == {"healthy"}


def forget_other_instances(stack):
    """Other tests' own, which ended for good with clicks that nobody had stored yet."""
    own = ", ".join(f"'% 127.0.0.1:{app.port}'" for app in stack.apps)
    stack.primary.sql(f"DELETE FROM click_journals WHERE NOT name LIKE ANY (ARRAY[{own}])")


@pytest.fixture
def whole(stack):
    eventually(lambda: is_whole(stack), 30, "the system is not whole when the test begins")
    forget_other_instances(stack)
    yield stack
    for process in stack.processes():
        process.resume()
    for part in (stack.primary, stack.replica, stack.redis, *stack.apps, stack.worker):
        if not part.process.is_running():
            part.start()
    eventually(lambda: is_whole(stack), 40, "the system does not become whole again")


def test_a_link_is_created_followed_counted_and_deleted(whole):
    status, link = create_link(whole.url(), "https://example.com/a?b=c")
    assert status == 201
    code = link["shortCode"]
    assert len(code) == 7 and link["longUrl"] == "https://example.com/a?b=c"
    assert link["shortUrl"].endswith("/" + code)
    for _ in range(4):
        assert follow_once(f"{whole.url()}/{code}") == (302, "https://example.com/a?b=c")
    client = Client(whole.lb.public)
    client.send(f"HEAD /{code} HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields, _ = client.response(to_head=True)
    assert (status, fields["location"]) == (302, "https://example.com/a?b=c")

    def visits():
        status, _, body = ask(whole.lb.public, f"/stats/{code}")
        return status == 200 and json.loads(body)["visitsSummary"]["total"]
    eventually(lambda: visits() == 4, 10, "four visits, and a HEAD is none")

    def delete():
        client = Client(whole.lb.public)
        client.send(f"DELETE /api/v1/links/{code} HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.response()[0]
    assert delete() == 204
    assert delete() == 204, "again is well too"
    eventually(lambda: ask(whole.lb.public, f"/{code}")[0] in (404, 410), 5)


def test_an_alias_is_taken_once(whole):
    slug = f"alias-{time.time_ns()}"
    assert make(whole, slug=slug) == slug
    status, problem = create_link(whole.url(), "https://example.com/other", slug=slug)
    assert status == 409 and "non-unique-slug" in problem["type"]
    assert follow_once(f"{whole.url()}/{slug}") == (302, "https://example.com/")


BAD_LINKS = [
    ('{"longUrl": "ftp://example.com/"}', 400, "longUrl"),
    ('{"longUrl": "javascript:alert(1)"}', 400, "longUrl"),
    ('{"longUrl": "https://"}', 400, "longUrl"),
    ('{"longUrl": "https://example.com/\\r\\nX: 1"}', 400, "longUrl"),
    ('{"longUrl": "https://user:pw@example.com/"}', 400, "longUrl"),
    ('{"longUrl": 5}', 400, "longUrl"),
    ("{}", 400, "longUrl"),
    ('{"longUrl": "https://example.com/", "customSlug": "a b"}', 400, "customSlug"),
    ('{"longUrl": "https://example.com/", "customSlug": "api"}', 400, "customSlug"),
    ('{"longUrl": "ftp://x", "customSlug": "/"}', 400, "customSlug"),
    ("nonsense", 400, ""),
    ("[1,", 400, ""),
    ("[" * 10000, 400, ""),
]


@pytest.mark.parametrize("body, expected, names", BAD_LINKS, ids=range(len(BAD_LINKS)))
def test_a_bad_link_is_refused_with_its_fields_named(whole, body, expected, names):
    status, fields, problem = post(whole.lb.public, body)
    assert status == expected and fields["content-type"] == "application/problem+json", problem
    assert names in json.dumps(problem)
    assert make(whole), "and the next one is well"


def test_other_content_and_methods_are_refused(whole):
    assert post(whole.lb.public, "{}", "text/plain")[0] == 415
    client = Client(whole.lb.public)
    client.send("PUT /api/v1/links HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    status, fields, _ = client.response()
    assert status == 405 and "POST" in fields["allow"]
    assert ask(whole.lb.public, "/nonexistent-code")[0] == 404


def test_redis_killed(whole):
    codes = [make(whole) for _ in range(5)]
    whole.redis.kill()
    assert all(follow_once(f"{whole.url()}/{code}")[0] == 302 for code in codes)
    fresh = make(whole)
    for app in whole.apps:
        assert follow_once(f"http://127.0.0.1:{app.port}/{fresh}")[0] == 302
        assert app.health()[0] == 200


def test_redis_hung(whole):
    codes = [make(whole) for _ in range(5)]
    whole.redis.pause()
    assert all(follow_once(f"{whole.url()}/{code}")[0] == 302 for code in codes)
    fresh = make(whole)
    assert all(follow_once(f"http://127.0.0.1:{app.port}/{fresh}")[0] == 302 for app in whole.apps)


def test_replica_killed(whole):
    codes = [make(whole) for _ in range(5)]
    whole.replica.kill()
    assert all(follow_once(f"{whole.url()}/{code}")[0] == 302 for code in codes)
    fresh = make(whole)
    whole.redis.command("FLUSHALL")
    assert all(follow_once(f"http://127.0.0.1:{app.port}/{fresh}")[0] == 302 for app in whole.apps)


def test_replica_hung(whole):
    whole.replica.pause()
    fresh = make(whole)
    whole.redis.command("FLUSHALL")
    for app in whole.apps:
        assert follow_once(f"http://127.0.0.1:{app.port}/{fresh}")[0] == 302


def test_a_new_code_resolves_while_the_replica_does_not_replay(whole):
    whole.replica.pause_replay()
    try:
        fresh = make(whole)
        whole.redis.command("FLUSHALL")
        assert all(follow_once(f"http://127.0.0.1:{app.port}/{fresh}")[0] == 302 for app in whole.apps)
    finally:
        whole.replica.resume_replay()


def test_primary_killed(whole):
    codes = [make(whole) for _ in range(5)]
    eventually(lambda: whole.replica.sql(f"SELECT count(*) FROM links WHERE code = '{codes[-1]}'") == "1")
    whole.primary.kill()
    assert [follow_once(f"{whole.url()}/{code}")[0] for code in codes] == [302] * 5
    whole.redis.command("FLUSHALL")
    assert [follow_once(f"{whole.url()}/{code}")[0] for code in codes] == [302] * 5
    status, fields, problem = post(whole.lb.public, '{"longUrl": "https://example.com/"}')
    assert status == 503 and int(fields["retry-after"]) >= 1, problem
    for app in whole.apps:
        status, health = app.health()
        assert status == 200 and health["status"] == "warn", "one shared fault must not take all instances out"


def test_everything_below_gone_and_known_links_go_on(whole):
    code = make(whole)
    for app in whole.apps:
        assert follow_once(f"http://127.0.0.1:{app.port}/{code}")[0] == 302
    for part in (whole.redis, whole.replica, whole.primary):
        part.kill()
    for app in whole.apps:
        assert follow_once(f"http://127.0.0.1:{app.port}/{code}")[0] == 302


def test_an_instance_that_is_asked_to_end_costs_nothing(whole):
    code = make(whole)
    answers = []
    done = threading.Event()

    def visit():
        while not done.is_set():
            answers.append(follow_once(f"{whole.url()}/{code}")[0])
    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    app = whole.apps[0]
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(15) == 0
    app.start()
    eventually(lambda: whole.lb.states()[app.process.name] == "healthy")
    done.set()
    for visitor in visitors:
        visitor.join()
    assert set(answers) == {302} and len(answers) > 50


def test_migrations_run_once_from_many_processes(whole):
    whole.primary.sql("CREATE DATABASE fresh", "postgres")
    env = {"DATABASE_URL": whole.primary.url().replace("/holdfast", "/fresh").replace("//fresh", "//holdfast"),
           "PATH": "/usr/bin:/bin"}
    try:
        runs = [subprocess.Popen([built("shortener"), "migrate"], env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True) for _ in range(5)]
        outputs = [run.communicate(timeout=60)[0] for run in runs]
        assert [run.returncode for run in runs] == [0] * 5, outputs
        assert int(whole.primary.sql("SELECT count(*) - count(DISTINCT name) FROM schema_migrations", "fresh")) == 0
    finally:
        whole.primary.sql("DROP DATABASE fresh WITH (FORCE)", "postgres")


def test_a_database_that_cannot_be_reached_is_said_and_waited_for(tmp_path):
    env = {"DATABASE_URL": f"postgresql://u:secret@127.0.0.1:{free_port()}/d"}
    app = Shortener("lonely", str(tmp_path), free_port(), env)
    app.start()
    try:
        status, health = app.health()
        assert status == 200 and health["status"] != "pass"
        status, fields, _ = ask(app.port, "/abcdefg")
        assert status == 503 and "retry-after" in fields
        eventually(lambda: "primary" in app.process.log_text())
        assert "secret" not in app.process.log_text()
    finally:
        assert app.stop() == 0


@pytest.mark.parametrize("dsn", ["nonsense", "postgresql://u:secret@[::1/d", "host=127.0.0.1 prt=5"])
def test_a_dsn_that_is_none_is_an_error_at_start(dsn):
    done = subprocess.run([built("shortener"), "serve"], env={"DATABASE_URL": dsn, "LISTEN": "127.0.0.1:0"},
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stderr and "secret" not in done.stderr, done


def test_a_port_in_use_is_said_clearly(whole, tmp_path):
    taken = Upstream()
    done = subprocess.run([built("shortener"), "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=30,
                          env={**whole.app_env(), "LISTEN": taken.address})
    taken.close()
    assert done.returncode == 1 and str(taken.port) in done.stderr and "listen" in done.stderr


def test_metrics_and_page(whole):
    with urllib.request.urlopen(f"http://127.0.0.1:{whole.apps[0].port}/metrics", timeout=patient(5)) as answer:
        text = answer.read().decode()
    assert "shortener_build_info" in text and "shortener_dependency_up" in text
    assert ask(whole.apps[0].port, "/")[0] == 200
