"""The primary is lost, its replica is promoted: an instance that was given both addresses goes on by itself."""
import os
import subprocess
import tempfile

import pytest
from stack import ports
from stack.postgres import DATABASE, ROLE, make_pair
from stack.process import own, unprivileged_user
from stack.programs import Shortener, built
from stack.stack import patient_timeouts
from system.test_api import call
from system.upstream import eventually

@pytest.fixture
def pair():
    """Primary and replica of one's own: afterwards they are not what they were."""
    user = unprivileged_user()
    with tempfile.TemporaryDirectory(prefix="holdfast-test-") as folder:
        own(folder, user)
        primary, replica = make_pair(folder, "secret", user, folder, is_durable=False)
        yield primary, replica
        for server in (primary, replica):
            server.stop()


@pytest.fixture
def app(pair, tmp_path):
    primary, replica = pair
    env = {**patient_timeouts(), "API_AUTH": "open", "RATE_LIMIT_ADDRESS": "0", "DATABASE_REPLICA_URL": replica.url(),
           "DATABASE_URL": f"postgresql://{ROLE}:{primary.password}@127.0.0.1:{primary.port},127.0.0.1:{replica.port}/"
                           f"{DATABASE}"}
    subprocess.run([built("shortener"), "migrate"], env={**os.environ, **env}, check=True, capture_output=True, timeout=60)
    one = Shortener("app", str(tmp_path), ports.free_port(), env)
    yield one.start()
    one.stop()


def make(app, target, key=None):
    return call(app.port, "POST", "/api/v1/links", {"longUrl": target}, **({"Idempotency_Key": key} if key else {}))


@pytest.mark.long
def test_writes_go_on_at_the_promoted_replica_without_a_restart(pair, app):
    primary, replica = pair
    pid = app.process.pid
    status, _, link = make(app, "https://example.com/before", "once")
    assert status == 201
    code = link["shortCode"]
    eventually(lambda: replica.sql(f"SELECT count(*) FROM links WHERE code = '{code}'") == "1", 20)
    assert call(app.port, "GET", f"/{code}")[0] == 302

    primary.kill()
    status, fields, problem = make(app, "https://example.com/meanwhile")
    assert status == 503 and "retry-after" in fields, problem
    assert call(app.port, "GET", f"/{code}")[0] == 302, "redirects go on"
    assert replica.sql("SELECT pg_promote()") == "t"

    answers = []

    def is_made():
        answers.append(make(app, "https://example.com/after"))
        return answers[-1][0] == 201
    eventually(is_made, 20, "writes do not go on")
    assert app.process.pid == pid and app.process.is_running()
    new = answers[-1][2]["shortCode"]
    assert replica.sql(f"SELECT target FROM links WHERE code = '{new}'") == "https://example.com/after"
    assert call(app.port, "GET", f"/{new}")[1]["location"] == "https://example.com/after"
    # What was promised before holds: a key is remembered, changes and deletions reach who has a copy.
    again = make(app, "https://example.com/before", "once")
    assert again[0] == 201 and again[2]["shortCode"] == code and again[1]["idempotency-replayed"] == "true"
    assert call(app.port, "GET", f"/{code}")[0] == 302
    replica.sql(f"UPDATE links SET target = 'https://example.com/by-hand' WHERE code = '{code}'")
    eventually(lambda: call(app.port, "GET", f"/{code}")[1].get("location") == "https://example.com/by-hand", 10)
    assert call(app.port, "DELETE", f"/api/v1/links/{code}")[0] == 204
    assert call(app.port, "GET", f"/{code}")[0] == 410
    assert app.metric("shortener_dependency_up", dependency="primary") == 1
