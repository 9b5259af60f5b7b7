"""Each drill, short: nobody notices anything, and all accounts agree. And drills notice where somebody does."""
import types

import pytest

from drills import ALL, accounts, drill, load

SECONDS = {"kill-app": 1, "hang-app": 3.2, "hang-kill-app": 0.8, "rolling-restart": 0.3, "kill-all-apps-restart": 0.5,
           "flap": 3}


def short(seconds):
    return drill.Options(rate=150, burst=10, lead=0.4, seconds=seconds)


@pytest.mark.parametrize("name", ALL)
def test_nobody_notices(stack, name):
    figures = drill.run(ALL[name], stack, short(SECONDS[name]))
    assert figures["held"], figures
    assert figures["requests"] > 100 and figures["posts"] > 20


def test_where_somebody_notices_the_drill_does_not_hold_and_the_accounts_agree_all_the_same(stack, start_lb):
    servers = ", ".join(f"{{address: '127.0.0.1:{app.port}', name: {app.process.name}}}" for app in stack.apps)
    lb = start_lb(f"upstreams: [{servers}]\nhealth: {{uri: /health}}\nretry: {{deadline: 0s}}\n")
    figures = drill.run(ALL["kill-all-apps-restart"], stack, short(0.3), front=drill.Front("lb without retries", lb.public, lb))
    assert not figures["held"] and figures["failed"] > 10, figures
    assert figures["ledger"]["local_error"] > 10 and figures["disagreements"] == {}, figures


def entry(number, code="c", error=None):
    wanted = types.SimpleNamespace(is_post=True, target=f"t{number}", code=code)
    one = load.Entry(number, wanted, due=0)
    one.error, one.outcome, one.status = error, load.ANSWERED, 201
    return one


def test_rows_that_are_missing_or_too_many_are_found():
    entries = [entry(1), entry(2), entry(3), entry(4, error="POST: status 503"), entry(5)]
    rows = {"t1": ["c"], "t2": ["c", "d", "e"], "t4": ["c"], "t5": ["other"], "t6": ["c"]}
    assert accounts.judge_rows(entries, rows) == dict(duplicated=2, lost=1, failed_yet_made=1, wrong_code=1, of_nobody=1)


def test_a_request_that_one_account_has_and_the_other_has_not_is_found():
    entries = [entry(1), entry(2)]
    entries[1].outcome = load.CUT
    right = {"requests": 2, "answered": 1, "cut": 1, "status 201": 1}
    assert accounts.differences(entries, right) == {}
    for wrong in ({"answered": 2}, {"cut": 0}, {"requests": 3}, {"imbalance": 1}, {"status 200": 1}):
        assert accounts.differences(entries, {**right, **wrong}).keys() == wrong.keys()
