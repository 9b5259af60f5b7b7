"""How often the API may be called, whom browsers may call it for, and what its answers say against misuse."""
import time

import pytest
from system.instances import instances, shortener
from system.test_api import call
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually

LIST = "/api/v1/links?limit=1"


@pytest.fixture(scope="module")
def limited(shared_stack, tmp_path_factory):
    """Two instances that allow little."""
    settings = {"RATE_LIMIT_ADDRESS": "1", "RATE_LIMIT_ADDRESS_BURST": "10", "RATE_LIMIT_KEY": "1",
                "RATE_LIMIT_KEY_BURST": "5", "API_CORS_ORIGINS": "https://app.example"}
    with instances(shared_stack, tmp_path_factory.mktemp("limited"), 2, **settings) as both:
        yield both


def burst(apps, calls, **fields):
    """So many calls at once, in turn to each instance: how many were allowed."""
    return sum(call(apps[i % len(apps)].port, "GET", LIST, **fields)[0] == 200 for i in range(calls))


def client(number):
    return {"X_Forwarded_For": f"198.51.{number}.1"}


def test_both_instances_count_one_client_together_and_say_what_is_left(whole, limited):
    first = call(limited[0].port, "GET", LIST, **client(1))
    assert first[0] == 200 and first[1]["ratelimit-limit"] == "10" and first[1]["ratelimit-remaining"] == "9"
    assert int(first[1]["ratelimit-reset"]) == 1
    begun = time.monotonic()
    allowed = burst(limited, 30, **client(1))
    assert 9 <= allowed <= 10 + (time.monotonic() - begun), "not as many at each"
    refused = call(limited[0].port, "GET", LIST, **client(1))
    assert refused[0] == 429 and refused[1]["content-type"] == "application/problem+json"
    assert "rate-limited" in refused[2]["type"] and int(refused[1]["retry-after"]) >= 1
    assert refused[1]["ratelimit-remaining"] == "0"
    assert call(limited[0].port, "GET", LIST, **client(2))[0] == 200, "another client is not concerned"
    eventually(lambda: call(limited[1].port, "GET", LIST, **client(1))[0] == 200, 10, "and it may again")


def test_redirects_and_health_are_not_counted(whole, limited):
    assert {call(limited[0].port, "GET", "/health", **client(3))[0] for _ in range(30)} == {200}
    assert {call(limited[0].port, "GET", "/no-such", **client(3))[0] for _ in range(30)} == {404}
    assert burst(limited, 5, **client(3)) == 5


def test_a_key_has_a_bucket_of_its_own_and_guessing_one_costs_the_address(whole, limited):
    key = shortener(whole, "keys", "create", "--name", "limits")[0].strip()
    eventually(lambda: call(limited[0].port, "GET", LIST, X_Api_Key=key, **client(4))[0] == 200, 5)
    time.sleep(6)
    begun = time.monotonic()
    allowed = burst(limited, 20, X_Api_Key=key, **client(5))
    assert 5 <= allowed <= 5 + 2 * (time.monotonic() - begun)
    answers = [call(limited[0].port, "GET", LIST, X_Api_Key="hf_guess", **client(6))[0] for _ in range(20)]
    assert answers[0] == 401 and answers[-1] == 429
    assert call(limited[0].port, "GET", LIST, **client(6))[0] == 429


def test_each_instance_counts_alone_while_redis_is_away(whole, limited):
    whole.redis.kill()
    try:
        eventually(lambda: limited[0].health()[1]["checks"]["redis"]["status"] == "fail", 10)
        begun = time.monotonic()
        allowed = burst(limited[:1], 30, **client(7))
        assert 10 <= allowed <= 10 + 2 * (time.monotonic() - begun)
        assert burst(limited[1:], 5, **client(7)) == 5
    finally:
        whole.redis.start()
    eventually(lambda: limited[0].health()[1]["checks"]["redis"]["status"] == "pass", 20)


def test_a_script_that_redis_has_forgotten_is_sent_again(whole, limited):
    assert burst(limited, 2, **client(8)) == 2
    whole.redis.command("SCRIPT", "FLUSH")
    remaining = [call(limited[0].port, "GET", LIST, **client(8))[1]["ratelimit-remaining"] for _ in range(2)]
    assert remaining[0] > remaining[1] and int(remaining[0]) < 9


def test_only_the_pages_that_were_named_may_call_from_a_browser(whole, limited):
    app = limited[0]
    preflight = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    status, fields, _ = call(app.port, "OPTIONS", "/api/v1/links", Origin="https://app.example", **preflight)
    assert status == 204 and fields["access-control-allow-origin"] == "https://app.example"
    assert "POST" in fields["access-control-allow-methods"] and "X-Api-Key" in fields["access-control-allow-headers"]
    fields = call(app.port, "GET", LIST, Origin="https://app.example", **client(9))[1]
    assert fields["access-control-allow-origin"] == "https://app.example" and fields["vary"] == "Origin"
    assert "ETag" in fields["access-control-expose-headers"]
    refused = call(app.port, "GET", "/api/v1/links/none", Origin="https://app.example", **client(9))
    assert refused[0] == 404 and "access-control-allow-origin" in refused[1], "or the page could not read why"
    for other in ("https://evil.example", "null"):
        assert "access-control-allow-origin" not in call(app.port, "GET", LIST, Origin=other, **client(9))[1]
    assert "access-control-allow-origin" not in call(whole.apps[0].port, "GET", LIST, Origin="https://a.example")[1]


def test_answers_say_that_nothing_in_them_is_to_be_run(whole):
    for path in ("/api/v1/links", "/api/v1/links/none", "/stats/none"):
        fields = call(whole.lb.public, "GET", path)[1]
        assert fields["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in fields["content-security-policy"], path
