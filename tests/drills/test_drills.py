"""Each drill, short: nobody notices anything, and all accounts agree. And drills notice where somebody does."""
import contextlib
import json
import sys
import types

import pytest

from stack.programs import Lb
from stack.stack import follow_once

from drills import ALL, INSTANCES, __main__, accounts, drill, load, peers, report

SECONDS = {"kill-app": 1, "hang-app": 1.5, "hang-kill-app": 0.8, "rolling-restart": 0.3, "kill-all-apps-restart": 0.5,
           "flap": 2}


def short(seconds):
    return drill.Options(rate=150, burst=10, lead=0.4, seconds=seconds)


@pytest.mark.parametrize("name", INSTANCES)
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


def call(monkeypatch, capsys, *arguments, held=True):
    """ops/drill's exit code and output; the system and its drills are not real."""
    figures = {"errors": {}, "held": held, "wrong": ["2 failed"], "failed": 0 if held else 2}
    phase = {"p50_ms": 1, "p95_ms": 2, "p99_ms": 3, "slowest_ms": 4, "requests": 5}
    monkeypatch.setattr(__main__, "system", lambda: contextlib.nullcontext((None, lambda: None)))
    monkeypatch.setattr(drill, "run", lambda *_, **__: {**figures, "before": phase, "during": phase, "after": phase})
    monkeypatch.setattr(sys, "argv", ["ops/drill", *arguments])
    return __main__.main(), capsys.readouterr().out


def test_the_command_names_its_drills_repeats_them_and_ends_with_1_where_one_did_not_hold(monkeypatch, capsys, tmp_path):
    code, out = call(monkeypatch, capsys, "--list")
    assert code == 0 and all(name in out for name in ALL)
    out_file = tmp_path / "figures"
    code, out = call(monkeypatch, capsys, "all", "--runs", "2", "--json", str(out_file))
    assert code == 0 and out.count("  held") == 2 * len(ALL)
    assert len([json.loads(line) for line in out_file.read_text().splitlines()]) == 2 * len(ALL)
    code, out = call(monkeypatch, capsys, "kill-app", held=False)
    assert code == 1 and "DID NOT HOLD: 2 failed" in out
    with pytest.raises(SystemExit):
        call(monkeypatch, capsys, "kill-nobody")


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


def test_an_account_goes_over_upgrades_whose_ledgers_are_in_the_log(stack):
    """Statuses are told by the metrics alone, which end with their process."""
    account = accounts.LbAccount(stack.lb)
    paths = ["/health", "/nobody-made-this"]
    for path in paths:
        follow_once(stack.url() + path)
    old = stack.lb.upgrade()
    follow_once(stack.url() + paths[0])
    old.wait(30)
    counted = account.read()
    assert (counted["requests"], counted["answered"], counted["imbalance"]) == (3, 3, 0)
    assert "retried" not in counted and not any(name.startswith("status") for name in counted)
    entries = [entry(number) for number in range(3)]
    assert accounts.differences(entries, counted) == {}
    assert accounts.differences(entries[1:], counted).keys() == {"requests", "answered"}


def test_each_figure_of_a_ledger_in_the_log_is_taken_by_its_name():
    text = ('… info ledger pool=web what="1 requests, 0 cut, 0 local errors, 0 saved by retry" answered=1 in_flight=0\n'
            '… info ledger pool=all what="9 requests, 4 cut, 3 local errors, 2 saved by retry" answered=1 client_gone=1 '
            'in_flight=0\n')
    lb = types.SimpleNamespace(process=types.SimpleNamespace(log_text=lambda: text))
    assert Lb.ledgers(lb) == [{"requests": 9, "cut": 4, "local_error": 3, "saved_by_retry": 2, "answered": 1,
                               "client_gone": 1, "in_flight": 0}]


@pytest.mark.parametrize("name", peers.PROGRAMS)
def test_a_variant_of_a_configuration_has_its_own_lines_and_no_placeholder(name):
    values = {"port": 1234, "app1": 5678, "app2": 9012, "dir": "/somewhere"}
    file = peers.PROGRAMS[name][0]
    careful, posts = (peers.configuration(file, variant, values) for variant in ("careful", "posts"))
    assert careful != posts
    for text in (careful, posts):
        assert "variant" not in text and "@" not in text and "127.0.0.1:5678" in text and "127.0.0.1:9012" in text


def test_the_report_adds_up_runs_and_shows_what_failed():
    def figures(front, variant, failed):
        phase = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0}
        return {"drill": "kill-app", "front": front, "variant": variant, "requests": 1000, "posts": 300, "failed": failed,
                "duplicated": 0, "lost": 0, "saved": 5, "eject_ms": [7.0, None], "back_ms": [90.0], "slowest_ms": 44.0,
                "disagreements": {}, "held": failed == 0, "before": phase, "during": phase, "after": phase}
    where = {"day": "2026-01-01", "revision": "abc", "machine": "2 cores", "load": 1.0, "rate": 300, "burst": 15,
             "posts_share": 0.3, "versions": {"HAProxy": "1", "nginx": "2", "Caddy": "3"}}
    text = report.text(where, [figures("lb", None, 0), figures("lb", None, 2), figures("Caddy", "posts", 7)], ("kill-app",))
    assert "| kill-app | 1 of 2 | 2,000 | 600 | 10 | **2** | 0 | 0 | 2 of 2 |" in text
    assert "| kill-app | 7 (7) | 90 (90) | 1 / 2 / 3 |" in text
    assert "| Caddy, told to repeat POSTs too | 1 | 1,000 | **7** | 0 | 0 | 3 (3) | 44 (44) |" in text
