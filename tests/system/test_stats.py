"""Statistics: exact in every time zone, bots apart, by aggregates alone, as JSON and as CSV."""
import csv
import datetime
import io
import json
import threading
import uuid
import zoneinfo

import pytest
from system.instances import instances
from system.test_api import call, create
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually

UTC = datetime.timezone.utc
DEVICES = ["other", "desktop", "mobile", "tablet", "bot"]


def store(stack, code, clicks):
    """Puts clicks into the database as the worker does; each is (time, referrer, device, is a bot, mark of the visitor)."""
    columns = [
        [str(uuid.uuid4()) for _ in clicks], [str(int(click[0].timestamp() * 1000)) for click in clicks],
        [code] * len(clicks), [click[1] for click in clicks], [str(DEVICES.index(click[2])) for click in clicks],
        [str(click[3]).lower() for click in clicks], [str(click[4]) for click in clicks], [""] * len(clicks)]
    types = ["uuid", "bigint", "text", "text", "smallint", "boolean", "integer", "text"]
    arrays = ["'{%s}'::%s[]" % (",".join('"%s"' % value.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
                                         for value in column), kind) for column, kind in zip(columns, types)]
    addresses = "array_fill(NULL::cidr, ARRAY[%d])" % len(clicks)
    stack.primary.sql("SELECT * FROM ingest_clicks_v1(" + ", ".join(arrays) + f", {addresses}, "
                      "'{}', '{}', '{}', '{}', '[]')")


def click(at, referrer="", device="desktop", is_bot=False, visitor=0):
    return (at, referrer, device, is_bot, visitor)


def ask(stack, code, query="", port=None, **headers):
    status, fields, body = call(port or stack.lb.public, "GET", f"/stats/{code}?{query}", **headers)
    return status, fields, body


def stats(stack, code, query, total):
    """As soon as the replica knows all of them."""
    def answer():
        status, _, body = ask(stack, code, query)
        return body if status == 200 and body["visitsSummary"]["total"] == total else None
    return eventually(answer, 10, f"{total} visits")


def test_all_that_is_known_of_a_link(whole):
    code = create(whole)["shortCode"]
    now = datetime.datetime.now(UTC)
    store(whole, code, [click(now, "t.co", "mobile", visitor=64 + 1), click(now, "t.co", visitor=128 + 1),
                        click(now, visitor=64 + 1), click(now, "", "bot", True)])
    found = stats(whole, code, "", 4)
    assert found["visitsSummary"] == {"total": 4, "nonBots": 3, "bots": 1}
    assert found["range"] == {"from": str((now - datetime.timedelta(days=29)).date()), "to": str(now.date()), "tz": "UTC",
                              "total": 4, "nonBots": 3, "bots": 1}
    assert found["byDay"] == [{"date": str(now.date()), "total": 4, "nonBots": 3, "bots": 1}]
    assert found["referrers"] == [{"name": "(direct)", "total": 2, "nonBots": 1, "bots": 1},
                                  {"name": "t.co", "total": 2, "nonBots": 2, "bots": 0}]
    assert [(each["name"], each["total"]) for each in found["devices"]] == [("desktop", 2), ("bot", 1), ("mobile", 1)]
    assert found["visitorsByDay"] == [{"date": str(now.date()), "estimate": 2}]
    assert found["lastVisit"][:19] == now.strftime("%Y-%m-%dT%H:%M:%S") and "byHour" not in found
    people = stats(whole, code, "excludeBots=true", 4)
    assert people["range"]["total"] == 3 and people["range"]["bots"] == 0
    assert [(each["name"], each["total"]) for each in people["devices"]] == [("desktop", 2), ("mobile", 1)]
    again = call(whole.lb.public, "GET", f"/api/v1/links/{code}/stats")[2]
    # The worker may say it anew between the two.
    assert {**again, "freshAsOf": None} == {**stats(whole, code, "", 4), "freshAsOf": None}


def test_what_was_counted_by_an_earlier_release_stays(whole):
    code = create(whole)["shortCode"]
    whole.primary.sql(f"INSERT INTO link_visits (code, total, last_at) VALUES ('{code}', 41, '2025-03-04 05:06:07+00')")
    store(whole, code, [click(datetime.datetime.now(UTC))])
    found = stats(whole, code, "", 42)
    assert found["visitsSummary"] == {"total": 42, "nonBots": 42, "bots": 0} and found["range"]["total"] == 1


ZONES = ["UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
         "America/Havana", "Pacific/Chatham", "America/St_Johns", "Pacific/Apia", "Africa/Cairo"]


@pytest.mark.parametrize("zone", ZONES)
def test_days_and_hours_are_exact_in_every_zone_across_both_changes_of_the_clock(whole, zone):
    code = create(whole)["shortCode"]
    there = zoneinfo.ZoneInfo(zone)
    # Each quarter of an hour of the days around every change of 2024 (31 days at most), and one lone click each.
    times = []
    day = datetime.datetime(2024, 1, 1, tzinfo=UTC)
    while day.year == 2024:
        if (day + datetime.timedelta(days=1)).astimezone(there).utcoffset() != day.astimezone(there).utcoffset():
            first = day - datetime.timedelta(days=1)
            times += [first + datetime.timedelta(minutes=15 * i, seconds=7 * (i % 100)) for i in range(4 * 24 * 3)]
        day += datetime.timedelta(days=1)
    times = times or [datetime.datetime(2024, 6, 1, hour, tzinfo=UTC) for hour in range(24)]
    store(whole, code, [click(at) for at in times])
    local = [at.astimezone(there) for at in times]

    def tally(words):
        counted = {}
        for word in words:
            counted[word] = counted.get(word, 0) + 1
        return counted
    found = stats(whole, code, f"tz={zone}&from=2024-01-01&to=2024-12-31", len(times))
    assert {each["date"]: each["total"] for each in found["byDay"]} == tally(str(at.date()) for at in local)
    for day in sorted({at.date() for at in local}):
        # A range of one day alone is that day, no more and no less.
        found = ask(whole, code, f"tz={zone}&from={day}&to={day}&by=hour")[2]
        hours = tally(at.replace(minute=0).strftime("%Y-%m-%dT%H:%M") + at.strftime("%z")[:3] + ":" + at.strftime("%z")[3:5]
                      for at in local if at.date() == day)
        assert {each["hour"]: each["total"] for each in found["byHour"]} == hours, day
        assert found["range"]["total"] == sum(hours.values())


@pytest.mark.parametrize("query, name", [
    ("tz=Europe/Nowhere", "?tz"), ("tz=UTC%2B2", "?tz"), ("tz=CEST", "?tz"), ("tz=europe/madrid", "?tz"),
    ("tz=posix/UTC", "?tz"), ("tz=%27%3b", "?tz"), ("from=tomorrow", "?from"), ("from=2026-02-30", "?from"),
    ("from=2026-01-02&to=2026-01-01", "?from"), ("from=2001-01-01", "?from"), ("from=2024-01-01&to=2025-01-01", "?from"),
    ("by=hour&from=2024-01-01&to=2024-02-01", "?from"), ("by=moon", "?by"), ("format=xml", "?format"), ("days=3", "?days")])
def test_a_parameter_that_is_wrong_is_named(whole, query, name):
    code = create(whole)["shortCode"]
    status, fields, problem = ask(whole, code, query)
    assert status == 400 and fields["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in problem["errors"]] == [name], problem


def test_the_same_as_csv(whole):
    code = create(whole)["shortCode"]
    noon = datetime.datetime(2024, 10, 27, 12, tzinfo=UTC)
    store(whole, code, [click(noon, "=cmd", "mobile", visitor=65), click(noon, 'a,"b"', "bot", True),
                        click(noon - datetime.timedelta(hours=11)), click(noon - datetime.timedelta(hours=12))])
    stats(whole, code, "", 4)

    def table(query, **headers):
        status, fields, body = ask(whole, code, f"{query}&from=2024-10-20&to=2024-10-30&tz=Europe/Madrid", **headers)
        assert status == 200 and fields["content-type"].startswith("text/csv"), body
        assert bytes(body).endswith(b"\r\n") and fields["content-disposition"].startswith("attachment")
        return list(csv.reader(io.StringIO(bytes(body).decode(), newline="")))
    assert table("format=csv") == [["date", "total", "nonBots", "bots"], ["2024-10-27", "4", "3", "1"]]
    assert table("by=hour", Accept="text/csv")[1:] == [["2024-10-27T02:00+02:00", "1", "1", "0"],
                                                       ["2024-10-27T02:00+01:00", "1", "1", "0"],
                                                       ["2024-10-27T13:00+01:00", "2", "1", "1"]]
    assert table("by=referrer&format=csv")[1:] == [["(direct)", "2", "2", "0"], ["'=cmd", "1", "1", "0"],
                                                   ['a,"b"', "1", "0", "1"]]
    assert table("by=device&format=csv")[1:] == [["desktop", "2", "2", "0"], ["bot", "1", "0", "1"], ["mobile", "1", "1", "0"]]
    assert table("by=visitors&format=csv") == [["date", "estimate"], ["2024-10-27", "1"]]
    assert ask(whole, code, "", Accept="application/json, text/csv")[1]["content-type"] == "application/json"


def test_how_fresh_they_are_is_what_the_instances_last_said(whole):
    code = create(whole)["shortCode"]
    own = [str(uuid.uuid4()) for _ in range(3)]
    report = ("SELECT report_journal_v1('{}', 'a', 1, 5, {}, 1, 10, 0, {}, 'stream', '{{}}', '{{}}')")
    try:
        for instance in own:
            whole.primary.sql(report.format(instance, 0, "NULL"))
        before = stats_fresh(whole, code)
        assert abs((before - datetime.datetime.now(UTC)).total_seconds()) < 10
        old = before - datetime.timedelta(minutes=5)
        whole.primary.sql(report.format(own[0], 3, int(old.timestamp() * 1000)))
        eventually(lambda: abs((stats_fresh(whole, code) - old).total_seconds()) < 1, 10, "the oldest that waits decides")
        whole.primary.sql(f"UPDATE click_journals SET reported_at = now() - interval '1 h' WHERE instance = '{own[0]}'")
        assert abs((stats_fresh(whole, code) - old).total_seconds()) < 1, "a silent one still has its clicks"
        whole.primary.sql(f"UPDATE click_journals SET waiting = 0, oldest_at = NULL WHERE instance = '{own[0]}'")
        eventually(lambda: stats_fresh(whole, code) > old, 10, "one that left with nothing does not hold time up")
    finally:
        whole.primary.sql("DELETE FROM click_journals WHERE instance IN ('%s')" % "','".join(own))


def stats_fresh(stack, code):
    return datetime.datetime.fromisoformat(ask(stack, code)[2]["freshAsOf"].replace("Z", "+00:00"))


def test_without_the_replica_the_primary_tells(whole):
    code = create(whole)["shortCode"]
    store(whole, code, [click(datetime.datetime.now(UTC))])
    whole.replica.kill()
    found = stats(whole, code, "", 1)
    assert json.dumps(found["byDay"]) and found["range"]["total"] == 1


def test_statistics_that_take_long_hold_up_no_look_up(whole, tmp_path):
    code, *others = [create(whole)["shortCode"] for _ in range(6)]
    eventually(lambda: whole.replica.sql(f"SELECT count(*) FROM links WHERE code = '{others[-1]}'") == "1", 10)
    with instances(whole, tmp_path, REDIS_URL="") as (app,):
        eventually(lambda: app.health()[1]["status"] == "pass", 10)
        # A lock that passes on to the replica, and is of nothing that redirects need.
        holder = threading.Thread(target=whole.primary.sql, args=(
            "BEGIN; LOCK TABLE click_visitors; SELECT pg_sleep(3); COMMIT",))
        holder.start()
        locked = "SELECT count(*) FROM pg_locks WHERE relation = 'click_visitors'::regclass AND %s granted"
        eventually(lambda: whole.replica.sql(locked % "") != "0", 5)
        asker = threading.Thread(target=ask, args=(whole, code, "", app.port))
        asker.start()
        eventually(lambda: whole.replica.sql(locked % "NOT") != "0", 5, "the statistics wait")
        assert [call(app.port, "GET", f"/{other}")[0] for other in others] == [302] * 5
        assert whole.replica.sql(locked % "NOT") != "0", "they still wait"
        asker.join()
        holder.join()
        assert "dependency=replica " not in app.process.log_text().split("info ready", 1)[1]
