"""What a drill's report is made of: alarms that were due, or were not; deeds in their order; what grew, second by second."""
import types

import pytest
from drills import REPORTED, balancer, chaos, database, instances, queue, samples
from drills.load import Entry
from stack.process import wait_until
from stack.stack import LB_CONFIG


def alarm(name, fired=20.0, ended=None):
    return {"alert": name, "severity": "page", "summary": "words", "fired_s": fired, "ended_s": ended}


def test_an_alarm_must_come_in_time_where_one_is_due_and_none_where_nothing_is():
    due, quiet, free = (next(one for one in instances.ALL if one.NAME == name) for name in ("kill-app", "rolling-restart", "flap"))
    assert due.ALARM == "InstanceDown" and chaos.wrong_alarms(due, [alarm("InstanceDown")], 20.0) == []
    for late in (None, 60.1):
        assert chaos.wrong_alarms(due, [], late) == ["no alarm InstanceDown within 60 s of the fault"]
    assert chaos.wrong_alarms(quiet, [], None) == [] and chaos.wrong_alarms(quiet, [alarm("X")], None) == ["the alarm X came"]
    assert chaos.wrong_alarms(free, [], None) == chaos.wrong_alarms(free, [alarm("X")], None) == []


def test_each_drill_that_is_reported_tells_what_must_hold():
    for name, one in REPORTED.items():
        assert one.NAME == name and one.PROMISE and one.command and one.BROKEN > 0
        assert not (one.ALARM and one.IS_QUIET), name


def test_deeds_and_alarms_are_told_in_their_order_and_the_first_few_one_by_one():
    deeds = [types.SimpleNamespace(what=what, name=name, at=100.0 + at, wall=1_000_000.0 + at, under_way=3)
             for what, name, at in [("kill", "app1", 0), ("start", "app1", 30)] + [("kill", "app2", 40 + more) for more in range(20)]]
    course = types.SimpleNamespace(deeds=deeds)
    rows = chaos.timeline(instances.ALL[0], {"alarms": [alarm("InstanceDown", 20.0, 45.5)]}, course)
    assert [row[1] for row in rows[:4]] == ["0.0", "20.0", "30.0", "40.0"] and rows[1][2].startswith("alarm InstanceDown (page) came")
    assert rows[0][2] == "kill app1, 3 requests under way (`kill -9 an instance`)" and rows[0][0] == "1970-01-12 13:46:40.000"
    assert len(rows) == chaos.DEEDS + 2


def test_what_died_counts_from_nothing_and_what_hung_counts_from_where_it_was():
    growth = samples.Growth()
    assert growth.of({"a": 100, "b": 7}) == {}
    assert growth.of({"a": 110, "b": 8}) == {"a": 10, "b": 1}
    assert growth.of({"b": 8}) == {"b": 0}               # a hangs,
    assert growth.of({"a": 115, "b": 3}) == {"a": 5, "b": 3}  # and goes on; b was started again


@pytest.mark.parametrize("hit, read, share", [(99, 1, "99.00%"), (0, 5, "0.00%"), (0, 0, "–")])
def test_the_share_of_blocks_in_memory(hit, read, share):
    assert chaos.in_memory({"hit primary": hit, "read primary": read}, "primary") == share


def test_a_database_is_asked_for_what_it_did_and_one_that_hangs_says_nothing(stack):
    observer = database.Observer(stack.replica)
    try:
        first = wait_until(observer.read, 20, "no answer")
        assert set(first) == set(database.COUNTS) and first["transactions"] > 0
        stack.replica.sql("SELECT count(*) FROM links")
        assert wait_until(observer.read, 20, "no answer")["transactions"] > first["transactions"]
        stack.replica.pause()
        assert observer.read() == {} and observer.psql is None  # or its late answer would be taken for the next one's
        stack.replica.resume()
        assert wait_until(observer.read, 20, "no answer")["transactions"] > first["transactions"]
    finally:
        stack.replica.resume()
        observer.close()


def test_the_configuration_that_is_read_anew_has_a_server_less_and_another_policy():
    whole = LB_CONFIG.format(public=1, admin=2, access_log="log", app1=3, app2=4)
    less = balancer.without(whole, "app2")
    other = balancer.changed(whole)
    assert "127.0.0.1:3" in other and "127.0.0.1:4" in other and "policy: random" in other
    assert "127.0.0.1:3" in less and "127.0.0.1:4" not in less and "policy: random" in less and "policy" not in whole


def test_a_click_that_was_not_counted_is_found(monkeypatch):
    def entry(code, error=None, is_post=False):
        one = Entry(1, types.SimpleNamespace(is_post=is_post, code=code), 0)
        one.error = error
        return one
    told = {}
    monkeypatch.setattr(queue.clicks, "settle", lambda stack, codes, answered, failed, dead: told.update(
        codes=codes, answered=answered, failed=failed, dead=dead) or ({}, ["a is short"]))
    monkeypatch.setattr(queue, "dead_letters", lambda stack: 3)
    assert queue.judge_books(None, [entry("a"), entry("a"), entry("b", "cut"), entry("c", is_post=True)]) == ["a is short"]
    assert told["answered"] == {"a": 2} and told["failed"] == {"b": 1} and sorted(told["codes"]) == ["a", "b"] and told["dead"] == 3
