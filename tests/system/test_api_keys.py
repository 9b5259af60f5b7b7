"""API keys: made, used, expired and revoked by the command line; every instance follows within a second."""
import json

import pytest
from stack.patience import patient
from system.instances import instances, shortener
from system.test_api import call
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually

LINK = {"longUrl": "https://example.com/"}


def make_key(stack, *words):
    out, err, code = shortener(stack, "keys", "create", "--name", "a test", *words)
    assert code == 0, err
    return out.strip()


def status(app, method, path, key=None, body=None):
    fields = {"Authorization": f"Bearer {key}"} if key else {}
    return call(app.port, method, path, body, **fields)[0]


def is_known(app, key):
    return status(app, "GET", "/api/v1/links", key) == 200


@pytest.fixture(scope="module")
def keyed(shared_stack, tmp_path_factory):
    """Two instances that want keys."""
    with instances(shared_stack, tmp_path_factory.mktemp("keyed"), 2, API_AUTH="keys") as both:
        yield both


def test_a_call_without_a_valid_key_is_refused_and_told_how(whole, keyed):
    for app in keyed:
        answer = call(app.port, "GET", "/api/v1/links")
        assert answer[0] == 401 and answer[1]["www-authenticate"].startswith("Bearer")
        assert "missing-authentication" in answer[2]["type"]
    eventually(lambda: all(call(app.port, "POST", "/api/v1/links", LINK, X_Api_Key="hf_x")[0] == 401 for app in keyed), 10)
    answer = call(keyed[0].port, "POST", "/api/v1/links", LINK, Authorization="Basic YTpi")
    assert answer[0] == 401 and "invalid-api-key" in answer[2]["type"]
    assert call(keyed[0].port, "GET", "/health")[0] == 200
    assert call(keyed[0].port, "GET", "/no-such-code")[0] == 404, "redirects want no key"


def test_a_key_does_what_its_scopes_say(whole, keyed):
    reader, writer = make_key(whole, "--scopes", "read"), make_key(whole, "--scopes", "write")
    app = keyed[0]
    eventually(lambda: is_known(app, reader) and status(app, "GET", "/api/v1/links", writer) == 403, 5)
    assert status(app, "POST", "/api/v1/links", reader, LINK) == 403
    assert call(app.port, "POST", "/api/v1/links", LINK, X_Api_Key=writer)[0] == 201, "Shlink's header works too"
    assert status(app, "GET", "/api/v1/links", writer) == 403
    assert shortener(whole, "keys", "create", "--name", "x", "--scopes", "root")[2] == 1


def test_a_key_sees_and_changes_its_own_links_and_an_admin_all(whole, keyed):
    one, other, admin = make_key(whole), make_key(whole), make_key(whole, "--scopes", "admin")
    app = keyed[0]
    eventually(lambda: all(is_known(app, key) for key in (one, other, admin)), 5)
    made = call(app.port, "POST", "/api/v1/links", LINK, X_Api_Key=one)[2]["shortCode"]
    path = f"/api/v1/links/{made}"
    asked = [("GET", path, None), ("PATCH", path, {"title": "x"}), ("GET", f"/stats/{made}", None),
             ("DELETE", path, None)]
    for method, where, body in asked:
        assert status(app, method, where, other, body) == 403, (method, where)
    codes = [link["shortCode"] for link in call(app.port, "GET", "/api/v1/links", X_Api_Key=other)[2]["data"]]
    assert made not in codes
    assert [status(app, method, where, one, body) for method, where, body in asked[:3]] == [200] * 3
    assert [status(app, method, where, admin, body) for method, where, body in asked] == [200, 200, 200, 204]


def test_a_revoked_key_is_refused_within_a_second_by_every_instance(whole, keyed):
    key = make_key(whole)
    eventually(lambda: all(is_known(app, key) for app in keyed), 5)
    listed = json.loads(shortener(whole, "keys", "list", "--json")[0])
    identity = key.split("_")[1]
    assert [each["state"] for each in listed if each["id"] == identity] == ["valid"]
    assert key not in shortener(whole, "keys", "list")[0], "its secret is nowhere"
    assert whole.primary.sql(f"SELECT count(*) FROM api_keys k WHERE k::text LIKE '%{key.split('_')[2]}%'") == "0"
    out, err, code = shortener(whole, "keys", "revoke", identity)
    assert code == 0 and identity in out, err
    eventually(lambda: not any(is_known(app, key) for app in keyed), 5)
    assert "revoked" in shortener(whole, "keys", "list")[0]
    assert shortener(whole, "keys", "revoke", "nobody")[2] == 1


def test_a_key_ends_when_it_was_said_to(whole, keyed):
    key = make_key(whole, "--expires", f"{round(patient(3))}s")
    eventually(lambda: is_known(keyed[0], key), 2)
    eventually(lambda: not is_known(keyed[0], key), 10)
    assert "is over already" in shortener(whole, "keys", "create", "--name", "x", "--expires", "2020-01-01T00:00:00Z")[1]


def test_keys_are_known_while_the_primary_is_away_and_to_an_instance_that_starts_then(whole, keyed, tmp_path):
    key = make_key(whole)
    eventually(lambda: is_known(keyed[0], key), 5)
    eventually(lambda: whole.replica.sql(f"SELECT count(*) FROM api_keys WHERE id = '{key.split('_')[1]}'") == "1", 10)
    whole.primary.kill()
    try:
        eventually(lambda: status(keyed[0], "POST", "/api/v1/links", key, LINK) == 503, 10)
        assert status(keyed[0], "GET", "/api/v1/links", key) == 200, "the replica is asked"
        assert status(keyed[0], "GET", "/api/v1/links", key[:-1] + "-") == 401
        with instances(whole, tmp_path, API_AUTH="keys") as (late,):
            eventually(lambda: is_known(late, key), 10)
    finally:
        whole.primary.start()
    eventually(lambda: status(keyed[0], "POST", "/api/v1/links", key, LINK) == 201, 20)


def test_an_open_api_is_said_loudly_at_the_start(whole, keyed):
    assert "THE API IS OPEN" in whole.apps[0].process.log_text()
    assert "THE API IS OPEN" not in keyed[0].process.log_text()
