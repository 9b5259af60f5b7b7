"""shortener queue and maintain, told of journals and streams that the test makes up, and of tables that it makes old."""
import json
import os
import re
import shutil
import struct
import subprocess
import threading
import uuid

import pytest
from conftest import ROOT
from stack.ports import free_port
from stack.programs import built
from system.instances import shortener
from system.test_api import create
from system.test_dead_letters import record
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


class Journals:
    """Instances that report what the test wants, under names of its own."""

    def __init__(self, primary):
        self.primary = primary
        self.names = []

    def report(self, instance, waiting=0, written=10, oldest="NULL::timestamptz", dropped=0, way="stream", full=1):
        if instance not in self.names:
            self.names.append(instance)
        self.primary.sql(f"SELECT report_journal_v1('{instance}', 'test-{instance[:4]}:80', 1, {written}, {waiting}, {full}, "
                         f"100, {dropped}, (extract(epoch FROM {oldest}) * 1000)::bigint, '{way}', '{{}}', '{{}}')")

    def silence(self, instance, since="1 minute"):
        self.primary.sql(f"UPDATE click_journals SET reported_at = now() - interval '{since}' WHERE instance = '{instance}'")

    def end(self):
        for instance in self.names:
            self.primary.sql(f"DELETE FROM click_journals WHERE instance = '{instance}'")


@pytest.fixture
def journals(whole):
    one = Journals(whole.primary)
    whole.primary.sql("DELETE FROM dead_clicks; DELETE FROM clicks_other")  # other tests' worries
    yield one
    one.end()
    whole.primary.sql("UPDATE click_control SET is_paused = false, why = ''")


def queue(stack, *words, **env):
    return shortener(stack, "queue", *words, **env)


def status(stack, **env):
    out, err, code = queue(stack, "status", "--json", "--interval", "100ms", **env)
    return json.loads(out), err, code


def test_the_status_adds_up_what_the_instances_say_and_warns(whole, journals):
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    journals.report(one, waiting=7, oldest="now() - interval '40 s'")
    journals.report(other, waiting=5, oldest="now() - interval '5 s'", dropped=3, full=60)
    told, _, code = status(whole)
    mine = {each["instance"]: each for each in told["instances"]}
    assert code == 1 and told["waiting"] >= 12 and 40 <= told["oldestAgeSeconds"] < 60
    assert mine[one]["waiting"] == 7 and mine[other]["dropped"] == 3 and mine[other]["journalBytesMax"] == 100
    worries = "\n".join(told["worries"])
    assert "waited for 4" in worries and "has lost 3 clicks" in worries and "is 60 % full" in worries
    out, _, code = queue(whole, "status", "--interval", "100ms")
    assert code == 1 and re.search(r"^waiting +[\d,]+ clicks, the oldest for \d", out, re.M) and "LOOK  " in out
    assert f"test-{one[:4]}:80" in out
    journals.report(one)
    journals.report(other)
    eventually(lambda: status(whole)[2] == 0, 10, "all is well again")


def test_an_instance_that_is_silent_is_told_with_what_it_holds(whole, journals):
    one = str(uuid.uuid4())
    journals.report(one, waiting=4, oldest="now()")
    journals.silence(one)
    told = status(whole)[0]
    assert any("silent" in worry and "4 clicks in its journal" in worry for worry in told["worries"]), told


def test_pause_is_for_all_and_says_why_and_resume_ends_it(whole, journals):
    assert queue(whole, "pause", "--why", "the disk \x1b is full")[2] == 0
    told, _, code = status(whole)
    assert code == 1 and told["isPaused"] and "the disk \\x1b is full" in told["worries"][0]
    assert whole.primary.sql("SELECT is_paused FROM click_control") == "t"
    out, err, code = queue(whole, "drain", "--timeout", "5s")
    assert code == 1 and "paused" in err
    assert queue(whole, "resume") == ("resumed\n", "", 0) and not status(whole)[0]["isPaused"]


def test_without_redis_or_the_primary_the_other_is_told(whole, journals):
    nowhere = free_port()
    told, err, code = status(whole, REDIS_URL=f"redis://127.0.0.1:{nowhere}")
    assert code == 2 and told["stream"] is None and "waiting" in told and f"Redis 127.0.0.1:{nowhere}" in err
    told, err, code = status(whole, DATABASE_URL=f"postgresql://u@127.0.0.1:{nowhere}/d")
    assert code == 2 and "waiting" not in told and told["stream"]["entries"] >= 0 and "the primary" in err
    told, _, code = status(whole, REDIS_URL="")
    assert code in (0, 1) and told["stream"] is None and "no Redis is configured" in told["notAsked"][0]


def test_a_peek_shows_the_next_clicks_and_takes_none(whole, journals):
    stream = f"test:{uuid.uuid4()}"
    head = struct.pack("<B16sQQI", 1, b"i" * 16, 1, 1, 2)
    add(whole.redis, stream, head + record("first", "t.co", 2) + record("sec\x1b"))
    add(whole.redis, stream, b"\x09nonsense")
    before = length(whole.redis, stream)
    rows = json.loads(queue(whole, "peek", "--json", CLICKS_STREAM=stream)[0])
    assert [row["code"] for row in rows[:2]] == ["first", "sec\x1b"] and "cannot be read" in rows[2]["wrong"], rows
    out = queue(whole, "peek", "--count", "1", CLICKS_STREAM=stream)[0]
    assert "first" in out and "sec" not in out
    assert "\x1b" not in queue(whole, "peek", CLICKS_STREAM=stream)[0]
    assert length(whole.redis, stream) == before == 2
    whole.redis.command("DEL", stream)
    assert queue(whole, "peek", CLICKS_STREAM=stream)[0] == "the stream is empty\n"


def add(redis, stream, data):
    """XADD of bytes, which Redis.command() would take for text."""
    import socket
    words = [b"XADD", stream.encode(), b"*", b"d", data]
    with socket.create_connection(("127.0.0.1", redis.port), 5) as connection:
        connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        assert connection.recv(100).startswith(b"$")


def length(redis, stream):
    return int(redis.command("XLEN", stream).strip()[1:])


@pytest.mark.long
def test_a_drain_waits_for_what_was_there_and_gives_up_in_time(whole, journals):
    one = str(uuid.uuid4())
    journals.report(one, waiting=3, oldest="now() - interval '3 s'")
    stop = threading.Event()

    def go_on(waiting, oldest):
        while not stop.wait(0.2):
            journals.report(one, waiting, oldest=oldest)
    talk = threading.Thread(target=go_on, args=(3, "timestamptz '2026-01-01'"))
    talk.start()
    out, err, code = queue(whole, "drain", "--timeout", "2s")
    stop.set()
    talk.join()
    assert code == 1 and "still wait after" in err
    stop.clear()
    talk = threading.Thread(target=go_on, args=(2, "now()"))
    talk.start()
    out, err, code = queue(whole, "drain", "--timeout", "30s")
    assert code == 0 and "all clicks made before it began are stored" in out, err
    out, err, code = queue(whole, "drain", "--until-empty", "--timeout", "2s")
    stop.set()
    talk.join()
    assert code == 1, "some are always on their way"
    journals.report(one)
    out, err, code = queue(whole, "drain", "--until-empty", "--timeout", "30s")
    assert code == 0 and out.startswith("empty after"), err


@pytest.mark.long
def test_upkeep_removes_what_is_old_and_nothing_else(whole, journals):
    sql = whole.primary.sql
    sql("DELETE FROM clicks_other")
    kept, gone = create(whole)["shortCode"], create(whole)["shortCode"]
    for code in (kept, gone):
        sql(f"INSERT INTO link_visits (code, total, last_at) VALUES ('{code}', 1, now());"
            f"INSERT INTO click_quarters (code, quarter, n, bots) VALUES ('{code}', '2026-01-01', 1, 0);"
            f"INSERT INTO click_daily (code, day, dim, val, n, bots) VALUES ('{code}', '2026-01-01', 'device', 'x', 1, 0);"
            f"INSERT INTO click_visitors (code, day, sketch) VALUES ('{code}', '2026-01-01', '{{65}}')")
    sql(f"UPDATE links SET deleted_at = now() - interval '31 days' WHERE code = '{gone}';"
        f"UPDATE links SET deleted_at = now() - interval '29 days' WHERE code = '{kept}'")
    sql("INSERT INTO idempotency (scope, key, fingerprint, status, body, created_at) SELECT 'test', 'old' || i, '', 201, '', "
        "now() - interval '25 h' FROM generate_series(1, 12000) AS i;"
        "INSERT INTO idempotency (scope, key, fingerprint, status, body, created_at) VALUES ('test', 'new', '', 201, '', "
        "now() - interval '23 h')")
    for month in ("2020-01-01", "2025-12-01"):
        name = "clicks_" + month[:7].replace("-", "_")
        sql(f"CREATE TABLE {name} PARTITION OF clicks FOR VALUES FROM ('{month}') TO "
            f"(('{month}'::date + interval '1 month')::date)")
    sql("INSERT INTO clicks (click_id, month, at, code) VALUES (gen_random_uuid(), '2019-05-01', '2019-05-01', 'stray');"
        "INSERT INTO clicks (click_id, month, at, code) VALUES (gen_random_uuid(), '2020-01-01', '2020-01-02', 'old')")
    coming = sql("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 months', '\"clicks_\"YYYY_MM')")
    sql(f"DROP TABLE {coming}; DELETE FROM time_zones WHERE name = 'Europe/Madrid'")
    old = str(uuid.uuid4())
    journals.report(old)
    journals.silence(old, "2 days")

    def there():
        return [sql(f"SELECT count(*) FROM {table} WHERE code = '{code}'")
                for table in ("link_visits", "click_quarters", "click_daily", "click_visitors") for code in (kept, gone)]
    try:
        keep = {"MAINTAIN_RETENTION": "720d"}
        trial, err, code = shortener(whole, "maintain", "--dry-run", **keep)
        assert code == 0, err
        assert f"would: make {coming}" in trial and "would: drop clicks_2020_01" in trial
        assert "would: remove 12,000 answers" in trial and "clicks_2025_12" not in trial
        assert there() == ["1"] * 8 and sql("SELECT count(*) FROM idempotency WHERE scope = 'test'") == "12001"
        done, err, code = shortener(whole, "maintain", **keep)
        assert code == 0, err
        assert "dropped clicks_2020_01" in done and "removed 12,000 answers" in done and "removed 1 links" in done
        assert "removed 1 old clicks" in done and "added 1 time zones" in done and "removed 1 instances" in done
        assert there() == ["1", "0"] * 4
        assert sql("SELECT key FROM idempotency WHERE scope = 'test'") == "new"
        assert sql(f"SELECT to_regclass('clicks_2020_01') IS NULL AND to_regclass('clicks_2025_12') IS NOT NULL "
                   f"AND to_regclass('{coming}') IS NOT NULL") == "t"
        assert shortener(whole, "maintain", **keep)[0] == "maintain: nothing to do\n"
    finally:
        sql("DELETE FROM idempotency WHERE scope = 'test'; DROP TABLE IF EXISTS clicks_2020_01, clicks_2025_12")


def test_a_lock_that_is_held_is_waited_for_in_short_pieces(whole):
    whole.primary.sql("CREATE TABLE clicks_2020_02 PARTITION OF clicks FOR VALUES FROM ('2020-02-01') TO ('2020-03-01')")
    reader = threading.Thread(target=whole.primary.sql, args=("BEGIN; SELECT FROM clicks LIMIT 1; SELECT pg_sleep(3); COMMIT",))
    reader.start()
    try:
        eventually(lambda: whole.primary.sql("SELECT count(*) FROM pg_locks WHERE relation = 'clicks'::regclass") != "0", 5)
        out, err, code = shortener(whole, "maintain")
        assert code == 0 and "dropped clicks_2020_02" in out, err
    finally:
        reader.join()


def test_only_one_is_at_it(whole):
    holder = threading.Thread(target=whole.primary.sql, args=(
        "SELECT pg_advisory_lock(7525363713131737975); SELECT pg_sleep(2)",))
    holder.start()
    eventually(lambda: whole.primary.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != "0", 5)
    out, _, code = shortener(whole, "maintain")
    holder.join()
    assert code == 0 and "another one is at it" in out


def test_the_units_of_systemd_are_well(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: install the package systemd")
    for name in os.listdir(os.path.join(ROOT, "ops", "systemd")):
        with open(os.path.join(ROOT, "ops", "systemd", name)) as unit:
            (tmp_path / name).write_text(unit.read().replace("/usr/bin/shortener", built("shortener")))
    units = [str(unit) for unit in tmp_path.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
