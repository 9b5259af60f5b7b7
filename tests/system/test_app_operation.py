"""What an operator does with the shortener: checks a configuration, reloads it, reads metrics where nobody else does."""
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pytest
from stack import ports
from stack.patience import patient
from stack.programs import Shortener, built
from system.instances import instances, shortener
from system.test_api import call, create
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patient(5)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def hang_up(app, line, count):
    """SIGHUP, and waits until the log has this line so often."""
    os.kill(app.process.pid, signal.SIGHUP)
    eventually(lambda: app.process.log_text().count(line) >= count, 10)


def test_check_says_what_is_wrong_with_which(whole, tmp_path):
    out, err, code = shortener(whole, "check")
    assert code == 0, out + err
    assert "ok    primary" in out and "ok    replica" in out and "ok    redis" in out and "hint  api.auth" in out
    blocklist = tmp_path / "blocked"
    blocklist.write_text("fine.example\nnot a host\n")
    other = whole.primary.url().rsplit("/", 1)[0] + "/postgres"
    out, _, code = shortener(whole, "check", DATABASE_REPLICA_URL=whole.replica.url().replace(str(whole.replica.port), "1"),
                             REDIS_URL="redis://127.0.0.1:1", LINKS_BLOCKLIST=str(blocklist))
    assert code == 1
    assert "ok    primary" in out and "WRONG replica 127.0.0.1:1" in out and "WRONG redis 127.0.0.1:1" in out
    assert f"WRONG block list: {blocklist}:2:" in out
    out, _, code = shortener(whole, "check", DATABASE_URL=other)
    assert code == 1 and "run shortener migrate" in out
    whole.replica.pause_replay()
    try:
        out, _, code = shortener(whole, "check")
        assert code == 1 and "its replay is paused" in out
    finally:
        whole.replica.resume_replay()
    bad = tmp_path / "bad.yaml"
    bad.write_text("lissten: 127.0.0.1:1\n")
    out, err, code = shortener(whole, "check", str(bad))
    assert code == 1 and "bad.yaml:1:1: lissten" in err


def test_metrics_are_on_the_admin_port_alone(whole, tmp_path):
    admin = ports.free_port()
    with instances(whole, tmp_path, ADMIN_LISTEN=f"127.0.0.1:{admin}") as (app,):
        status, text = get(admin, "/metrics")
        assert status == 200 and "shortener_cache_entries" in text
        assert get(admin, "/health")[0] == 200 and get(admin, "/ready") == (200, "ready\n")
        assert get(admin, "/api/v1/links")[0] == 404 and get(admin, "/abc")[0] == 404
        assert call(admin, "POST", "/metrics")[0] == 405 and call(admin, "OPTIONS", "/metrics")[0] == 204
        assert get(app.port, "/metrics")[0] == 404
        assert get(app.port, "/health")[0] == 200, "which a load balancer asks for"


def test_without_an_admin_port_metrics_are_for_this_machine_and_never_by_way_of_the_load_balancer(whole):
    assert get(whole.apps[0].port, "/metrics")[0] == 200
    assert get(whole.lb.public, "/metrics")[0] == 404


def test_a_block_list_is_read_anew_and_holds_for_links_that_there_are(whole, tmp_path):
    blocklist = tmp_path / "blocked"
    blocklist.write_text("evil.example\n")
    with instances(whole, tmp_path, LINKS_BLOCKLIST=str(blocklist)) as (app,):
        def make(url):
            return call(app.port, "POST", "/api/v1/links", {"longUrl": url})
        status, _, problem = make("https://www.evil.example/")
        assert status == 400 and problem["errors"][0]["pointer"] == "#/longUrl"
        code = make("https://later.example/")[2]["shortCode"]
        counted = call(app.port, "POST", "/api/v1/links", {"longUrl": "https://later.example/", "maxVisits": 5})[2]
        assert call(app.port, "GET", f"/{code}")[0] == 302
        blocklist.write_text("later.example\n")
        hang_up(app, "info reloaded", 1)
        assert call(app.port, "GET", f"/{code}")[0] == 410 and call(app.port, "GET", f"/{counted['shortCode']}")[0] == 410
        assert make("https://www.evil.example/")[0] == 201
        blocklist.write_text("no host at all\n")
        hang_up(app, "error not reloaded", 1)
        assert call(app.port, "GET", f"/{code}")[0] == 410, "a list that is wrong changes nothing"
    out = subprocess.run([built("shortener"), "serve"], env={**whole.app_env(), "LISTEN": "127.0.0.1:0",
                                                             "LINKS_BLOCKLIST": "/no/such/file"},
                         cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert out.returncode == 1 and "/no/such/file" in out.stderr


def test_a_reload_takes_over_what_can_be_and_a_wrong_file_changes_nothing(whole, tmp_path):
    config = tmp_path / "s.yaml"
    config.write_text("rate_limit: {address: 0}\n")
    env = {key: value for key, value in whole.app_env().items() if not key.startswith("RATE_LIMIT")}
    app = Shortener("reloaded", str(tmp_path), ports.free_port(), env, config=str(config)).start()
    try:
        assert {call(app.port, "GET", "/api/v1/links?limit=1")[0] for _ in range(80)} == {200}
        config.write_text("rate_limit: {address: 1, address_burst: 5}\nlog: {format: json}\n")
        hang_up(app, '"event":"reloaded"', 1)
        answers = [call(app.port, "GET", "/api/v1/links?limit=1", X_Forwarded_For="198.51.77.1")[0] for _ in range(20)]
        assert answers[:5] == [200] * 5 and 429 in answers
        config.write_text("rate_limt: 5\n")
        hang_up(app, '"event":"not reloaded"', 1)
        lines = app.process.log_text().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        assert told[-1]["level"] == "error" and "s.yaml:1:1" in told[-1]["why"]
        assert call(app.port, "GET", "/health")[0] == 200
    finally:
        app.stop()


def test_logs_may_be_json(whole, tmp_path):
    with instances(whole, tmp_path, LOG_FORMAT="json") as (app,):
        pass
    lines = [json.loads(line) for line in app.process.log_text().splitlines()]
    assert lines[0]["event"] == "starting" and lines[-1]["event"] == "stopped" and lines[0]["time"].endswith("Z")


@pytest.mark.parametrize("given, kept", [("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
                                         ("http://0x7f.1/", "http://127.0.0.1/")])
def test_hosts_in_other_letters_are_followed_in_the_form_that_all_understand(whole, given, kept):
    code = create(whole, longUrl=given)["shortCode"]
    assert call(whole.apps[0].port, "GET", f"/{code}")[1]["location"] == kept
