"""Changes and deletions reach every instance, whatever Redis and the replica do meanwhile."""
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest
from stack.patience import patient
from stack.postgres import program
from stack.stack import create_link, follow_once
from system.instances import instances
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


def call(port, method, code, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/links/{code}", method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"} if body is not None else {})
    try:
        with urllib.request.urlopen(request, timeout=patient(10)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def make(stack, target):
    status, link = create_link(stack.url(), target)
    assert status == 201, link
    return link["shortCode"]


def at(app, code):
    return follow_once(f"http://127.0.0.1:{app.port}/{code}")


@pytest.mark.parametrize("without_redis", [False, True])
def test_a_change_and_a_deletion_reach_the_other_instance_within_a_second(whole, without_redis):  # noqa: F811
    one, other = whole.apps
    changed, deleted = make(whole, "https://example.com/old"), make(whole, "https://example.com/doomed")
    eventually(lambda: whole.replica.sql(f"SELECT count(*) FROM links WHERE code IN ('{changed}', '{deleted}')") == "2", 10)
    if without_redis:
        whole.redis.kill()
        eventually(lambda: other.health()[1]["checks"]["redis"]["status"] == "fail", 10)
    whole.replica.pause_replay()
    try:
        for code in (changed, deleted):
            assert at(other, code)[0] == 302  # now it has a copy
        assert call(one.port, "PATCH", changed, {"longUrl": "https://example.com/new"}) == 200
        assert call(one.port, "DELETE", deleted) == 204
        eventually(lambda: at(other, changed)[1] == "https://example.com/new", 1)
        eventually(lambda: at(other, deleted)[0] == 410, 1)
        # The replica has the old state and must not bring it back, however often it could be asked.
        for _ in range(50):
            assert at(other, changed)[1] == "https://example.com/new"
            assert at(other, deleted)[0] == 410
    finally:
        whole.replica.resume_replay()


def test_redis_that_comes_back_with_an_old_copy_is_not_believed(whole):  # noqa: F811
    code = make(whole, "https://example.com/old")
    key = f"holdfast:link::{code}"
    eventually(lambda: "https://example.com/old" in whole.redis.command("GET", key), 10)
    whole.redis.pause()
    try:
        eventually(lambda: all(app.health()[1]["checks"]["redis"]["status"] == "fail" for app in whole.apps), 10)
        assert call(whole.apps[0].port, "DELETE", code) == 204
    finally:
        whole.redis.resume()
    eventually(lambda: all(app.health()[1]["checks"]["redis"]["status"] == "pass" for app in whole.apps), 10)
    eventually(lambda: "https://example.com/old" not in whole.redis.command("GET", key), 10)
    for app in whole.apps:
        assert at(app, code)[0] == 410


def test_an_instance_that_was_cut_off_from_the_primary_catches_up(whole):  # noqa: F811
    code = make(whole, "https://example.com/old")
    other = whole.apps[1]
    assert at(other, code)[0] == 302
    whole.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shortener'")
    whole.primary.sql(f"UPDATE links SET target = 'https://example.com/by-hand' WHERE code = '{code}'")
    eventually(lambda: at(other, code)[1] == "https://example.com/by-hand", 5)


def replays(app):
    """Whether it reads the feed's past at the moment."""
    return app.metric("shortener_feed_replaying") == 1


@pytest.mark.long
@pytest.mark.parametrize("what", ["its start", "the return of Redis"])
def test_news_are_told_beside_the_past(whole, tmp_path, what):  # noqa: F811
    """What was changed in the last 26 hours is replayed after a start and when Redis is back; it does not stand before
    what is changed now."""
    one = whole.apps[0]
    code = make(whole, "https://example.com/0")
    past = 60_000 if one.process.is_sanitized() else 300_000  # takes a second or more
    whole.primary.sql("INSERT INTO link_changes (domain, code, is_deleted) SELECT '', 'past-' || n, false "
                      f"FROM generate_series(1, {past}) AS n")
    try:
        eventually(lambda: all(app.metric("shortener_feed_changes_total") >= past for app in whole.apps), 120)
        with instances(whole, tmp_path) as (other,):
            if what == "the return of Redis":
                eventually(lambda: not replays(other), 60)
                whole.redis.kill()
                whole.redis.start()
                eventually(lambda: replays(other), 10)
            told_meanwhile = 0
            for number in range(1, 1000):
                target = f"https://example.com/{number}"
                assert at(other, code)[0] == 302  # now it has a copy
                assert call(one.port, "PATCH", code, {"longUrl": target}) == 200
                eventually(lambda: at(other, code)[1] == target, 10)
                if not replays(other):
                    break
                told_meanwhile += 1
            assert told_meanwhile > 0, "the first change was told when all of the past was"
    finally:
        whole.primary.sql("DELETE FROM link_changes WHERE code LIKE 'past-%'")


def test_what_commits_late_is_told_though_later_numbers_were_read(whole):  # noqa: F811
    """A change gets its number before its transaction commits, which may take long."""
    early, late = make(whole, "https://example.com/early"), make(whole, "https://example.com/late")
    other = whole.apps[1]
    slow = subprocess.Popen([program("psql"), "-XAtq", "-c", "BEGIN", "-c", f"UPDATE links SET target = "
                             f"'https://example.com/by-hand' WHERE code = '{early}'", "-c", "SELECT pg_sleep(1.5)", "-c", "COMMIT",
                             whole.primary.url()], env=os.environ, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: whole.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1.5)%' "
                                             "AND state = 'active' AND pid <> pg_backend_pid()") != "0", 10)
        assert at(other, late)[0] == at(other, early)[0] == 302
        assert call(whole.apps[0].port, "PATCH", late, {"longUrl": "https://example.com/sooner"}) == 200
        eventually(lambda: at(other, late)[1] == "https://example.com/sooner", 10)
        assert at(other, early)[1] == "https://example.com/early", "it is not committed yet"
    finally:
        assert slow.wait(20) == 0
    eventually(lambda: at(other, early)[1] == "https://example.com/by-hand", 5)
