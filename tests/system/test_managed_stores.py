"""Stores as somebody else runs them: with users, passwords and numbers of databases, and behind TLS."""
import os
import re
import socket
import subprocess
import tempfile

import pytest
from stack import ports
from stack.process import Process, own, wait_until
from system.instances import instances, shortener
from system.test_api import call
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


class ClosedRedis:
    """It knows one user, who has to say so, and no default one."""

    def __init__(self, folder, user):
        self.port = ports.free_port()
        self.process = Process("closed-redis", ["/usr/bin/redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                                                "--dir", str(folder), "--save", "", "--user", "default", "off",
                                                "--user", "app", "on", ">p@ss:word/", "~holdfast:*", "+@all"],
                               os.path.join(folder, "closed-redis.log"), user=user)

    def ask(self, *lines):
        """Lines of commands, answered one after the other."""
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection, connection.makefile("rb") as answers:
            for line in ("AUTH app p@ss:word/", *lines):
                connection.sendall(line.encode() + b"\r\n")
                answer = answers.readline().decode().strip()
        return answer

    def is_ready(self):
        self.process.must_run()
        try:
            return self.ask() == "+OK"
        except OSError:
            return False


@pytest.fixture
def redis(whole):  # noqa: F811
    with tempfile.TemporaryDirectory(prefix="holdfast-test-") as folder:
        own(folder, whole.user)
        one = ClosedRedis(folder, whole.user)
        one.process.start()
        wait_until(one.is_ready, 20, "redis does not start")
        yield one
        one.process.stop()


def test_redis_is_used_as_the_user_and_in_the_database_that_its_url_names(whole, redis, tmp_path):  # noqa: F811
    url = f"redis://app:p%40ss%3Aword%2F@127.0.0.1:{redis.port}/3"
    with instances(whole, tmp_path, REDIS_URL=url) as (app,):
        eventually(lambda: app.health()[1]["checks"]["redis"]["status"] == "pass", 10)
        codes = []

        def is_filled():  # from when the past changes have been told to this Redis on
            codes.append(call(app.port, "POST", "/api/v1/links", {"longUrl": "https://example.com/"})[2]["shortCode"])
            return redis.ask("SELECT 3", f"EXISTS holdfast:link::{codes[-1]}") == ":1"
        eventually(is_filled, 10)
        code = codes[-1]
        assert redis.ask("SELECT 0", f"EXISTS holdfast:link::{code}") == ":0"
        assert "p@ss" not in app.process.log_text() and "p%40ss" not in app.process.log_text()
        out, _, _ = shortener(whole, "check", REDIS_URL=url, LISTEN="127.0.0.1:0")
        assert f"ok    redis 127.0.0.1:{redis.port}/3" in out, out


def test_a_wrong_password_of_redis_is_told_and_redirects_go_on(whole, redis, tmp_path):  # noqa: F811
    url = f"redis://app:wrong@127.0.0.1:{redis.port}/3"
    with instances(whole, tmp_path, REDIS_URL=url) as (app,):
        check = eventually(lambda: (lambda redis_: redis_ if redis_["status"] == "fail" else None)(
            app.health()[1]["checks"]["redis"]), 10)
        assert "WRONGPASS" in str(check), check
        code = call(app.port, "POST", "/api/v1/links", {"longUrl": "https://example.com/"})[2]["shortCode"]
        assert call(app.port, "GET", f"/{code}")[0] == 302
        out, _, code = shortener(whole, "check", REDIS_URL=url, LISTEN="127.0.0.1:0")
        assert code == 1 and f"WRONG redis 127.0.0.1:{redis.port}/3" in out, out


def test_tls_to_redis_is_refused_with_what_to_do_instead(whole):  # noqa: F811
    _, err, code = shortener(whole, "check", REDIS_URL="rediss://app:secret@cache.example:6380/0")
    assert code != 0 and "docs/stores.md" in err and "secret" not in err, err


@pytest.fixture
def with_tls(whole):  # noqa: F811
    """Both databases speak TLS as well, with a certificate of their own making."""
    servers = (whole.primary, whole.replica)
    for server in servers:
        key, certificate = os.path.join(server.data, "server.key"), os.path.join(server.data, "server.crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True,
                       capture_output=True)
        for path in (key, certificate):
            own(path, whole.user)
        os.chmod(key, 0o600)
        server.sql("ALTER SYSTEM SET ssl = on")
        server.sql("SELECT pg_reload_conf()")
    yield whole
    for server in servers:
        server.sql("ALTER SYSTEM RESET ssl")
        server.sql("SELECT pg_reload_conf()")


def test_databases_are_used_over_tls_where_their_urls_say_so(with_tls, tmp_path):
    def url(server):
        return f"{server.url()}?sslmode=verify-full&sslrootcert={os.path.join(server.data, 'server.crt')}&application_name=tls"
    env = {"DATABASE_URL": url(with_tls.primary), "DATABASE_REPLICA_URL": url(with_tls.replica), "REDIS_URL": ""}
    with instances(with_tls, tmp_path, **env) as (app,):
        many = {"links": [{"longUrl": "https://example.com/" + "x" * 1500} for _ in range(200)]}  # more than a TLS record
        status, _, answer = call(app.port, "POST", "/api/v1/links/bulk", many)
        assert status == 200 and len(answer["results"]) == 200
        for result in answer["results"][:20]:
            assert call(app.port, "GET", "/" + result["link"]["shortCode"])[0] == 302
        assert call(app.port, "GET", "/none-such-code")[0] == 404
        for server in (with_tls.primary, with_tls.replica):
            used = server.sql("SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                              "WHERE application_name = 'tls'")
            assert used.endswith("|t") and not used.startswith("0|"), used


def test_the_password_of_postgresql_may_come_from_its_own_variable(whole, tmp_path):  # noqa: F811
    """As ops/kubernetes/overlays/cloudnative-pg does it: a Secret of the operator's has it, and no URL."""
    def bare(server):
        return re.sub(":[^:/@]*@", "@", server.url())
    env = {"DATABASE_URL": bare(whole.primary), "DATABASE_REPLICA_URL": bare(whole.replica), "LISTEN": "127.0.0.1:0"}
    assert whole.primary.password not in str(env)
    out, err, code = shortener(whole, "check", PGPASSWORD=whole.primary.password, **env)
    assert code == 0, out + err
    with instances(whole, tmp_path, PGPASSWORD=whole.primary.password, **env) as (app,):
        code = call(app.port, "POST", "/api/v1/links", {"longUrl": "https://example.com/"})[2]["shortCode"]
        assert call(app.port, "GET", f"/{code}")[0] == 302
    out, _, code = shortener(whole, "check", PGPASSWORD="wrong", **env)
    assert code == 1 and "WRONG" in out, out
