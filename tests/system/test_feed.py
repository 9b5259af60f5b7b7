"""Changes and deletions reach every instance, whatever Redis and the replica do meanwhile."""
import json
import urllib.error
import urllib.request

import pytest
from stack.stack import create_link, follow_once
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


def call(port, method, code, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/links/{code}", method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"} if body is not None else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
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
