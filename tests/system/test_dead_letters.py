"""shortener dlq: what could not be stored is shown, stored again and counted once, kept and dropped, each as it was asked."""
import hashlib
import json
import struct
import time
import uuid

import pytest
from stack.ports import free_port
from system.instances import shortener
from system.test_api import call, create
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually


def record(code, referrer="", device=1, at_ms=None):
    """A click as the journal has it (app/clicks/record.h)."""
    at_ms = int(time.time() * 1000) if at_ms is None else at_ms
    body = struct.pack("<BBBqH2sB", 1, 0, device, at_ms, 0, b"\0\0", 0)
    for text in (code, referrer):
        raw = text if isinstance(text, bytes) else text.encode()
        body += bytes([len(raw)]) + raw
    return struct.pack("<H", len(body)) + body


def bury(stack, data, reason="no reason", kind="record", one=None):
    """A dead letter as the worker leaves it; its id."""
    one = one or str(uuid.uuid4())
    dead = [{"id": one, "kind": kind, "bytes": data.hex(), "reason": reason, "sqlstate": "22021", "attempts": 1,
             "worker": "w", "instance": None, "epoch": None, "sequence": None}]
    empty = ", ".join(["'{}'"] * 13)
    stack.primary.sql(f"SELECT * FROM ingest_clicks_v1({empty}, '" + json.dumps(dead).replace("'", "''") + "')")
    return one


@pytest.fixture
def buried(whole):
    """The system without a dead letter, before and after."""
    whole.primary.sql("DELETE FROM dead_clicks")
    yield whole
    whole.primary.sql("DELETE FROM dead_clicks")


def run(stack, *words, **env):
    out, err, code = shortener(stack, "dlq", *words, **env)
    return out, err, code


def total(stack, code):
    return int(stack.primary.sql(f"SELECT coalesce(sum(total), 0) FROM link_visits WHERE code = '{code}'"))


def test_the_list_shows_what_there_is_oldest_first_and_moves_no_cursor(buried):
    assert run(buried, "list") == ("no dead letters\n", "", 0)
    first = bury(buried, record("abc"), "invalid byte sequence \x1b[2J")
    second = bury(buried, b"\0\0", "an entry", "entry")
    out, err, code = run(buried, "list")
    assert code == 0 and err == "" and "\x1b" not in out
    lines = out.splitlines()
    assert lines[1].startswith(first) and lines[2].startswith(second) and lines[3] == "2 of 2 dead letters"
    assert run(buried, "list", "--reason", "an en")[0].splitlines()[1].startswith(second)
    assert run(buried, "list", "--limit", "1")[0].splitlines()[-1] == "1 of 2 dead letters"
    listed = json.loads(run(buried, "list", "--json")[0])
    assert listed["total"] == 2 and [each["id"] for each in listed["deadLetters"]] == [first, second]


def test_one_is_shown_with_all_that_can_be_read_of_it(buried):
    one = bury(buried, record("abc", "t.co", 2, 1767225600000), "why")
    out, _, code = run(buried, "show", one)
    assert code == 0 and "click.code" in out and "2026-01-01T00:00:00.000Z" in out and "mobile" in out
    shown = json.loads(run(buried, "show", one, "--json")[0])
    assert shown["click"]["referrer"] == "t.co" and bytes.fromhex(shown["bytes"]) == record("abc", "t.co", 2, 1767225600000)
    broken = bury(buried, record("abc")[:-1], "cut short")
    assert "cannot be read" in run(buried, "show", broken)[0]
    assert run(buried, "show", str(uuid.uuid4()))[2] == 1
    out, err, code = run(buried, "show", "nonsense\x1b")
    assert code == 2 and "no id" in err and "\x1b" not in err


def test_what_is_requeued_counts_once_however_often_it_is_tried(buried):
    code = create(buried)["shortCode"]
    ids = [bury(buried, record(code, "t.co")) for _ in range(3)]
    assert run(buried, "requeue", ids[0]) == ("1 stored\n", "", 0)
    assert total(buried, code) == 1
    bury(buried, record(code, "t.co"), one=ids[0])
    out, _, ended = run(buried, "requeue", ids[0])
    assert ended == 0 and "0 stored, 1 had been stored before and were not counted again" in out
    assert total(buried, code) == 1, "its id is known"
    assert json.loads(run(buried, "requeue", "--all", "--max", "1", "--json")[0])["stored"] == 1
    assert run(buried, "requeue", "--all")[0] == "1 stored\n" and total(buried, code) == 3
    assert buried.primary.sql("SELECT count(*) FROM dead_clicks") == "0"
    eventually(lambda: call(buried.lb.public, "GET", f"/stats/{code}")[2]["referrers"][:1]
               == [{"name": "t.co", "total": 3, "nonBots": 3, "bots": 0}], 10)
    assert run(buried, "requeue", "--all") == ("no dead letters\n", "", 0)


def test_one_that_fails_again_stays_and_says_why_and_the_others_go_on(buried):
    code = create(buried)["shortCode"]
    bad = bury(buried, record(b"\xff\xfe"), "old")
    cut = bury(buried, record(code)[:-1])
    nul = bury(buried, record(b"a\0b"))
    well = bury(buried, record(code))
    out, _, ended = run(buried, "requeue", "--all")
    assert ended == 1 and "1 stored, 2 failed again" in out and "1 cannot be read" in out
    assert total(buried, code) == 1
    left = {each["id"]: each for each in json.loads(run(buried, "list", "--json")[0])["deadLetters"]}
    assert set(left) == {bad, cut, nul} and well not in left
    assert "invalid byte sequence" in left[bad]["reason"] and left[bad]["attempts"] == 2 and left[cut]["attempts"] == 1


def test_an_export_keeps_them_and_overwrites_nothing(buried, tmp_path):
    ids = {bury(buried, record("abc")) for _ in range(3)}
    file = tmp_path / "dead.jsonl"
    out, _, code = run(buried, "export", str(file))
    assert code == 0 and "3 dead letters written" in out and file.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["id"] for line in lines} == ids and all(line["click"]["code"] == "abc" for line in lines)
    digest = hashlib.sha256(file.read_bytes()).digest()
    out, err, code = run(buried, "export", str(file))
    assert code == 2 and "exists" in err and hashlib.sha256(file.read_bytes()).digest() == digest
    assert len(run(buried, "export", "-")[0].splitlines()) == 3
    assert buried.primary.sql("SELECT count(*) FROM dead_clicks") == "3"


def test_nothing_is_dropped_without_a_yes(buried):
    ids = [bury(buried, record("abc"), f"reason {i}") for i in range(4)]

    def left():
        return int(buried.primary.sql("SELECT count(*) FROM dead_clicks"))
    out, _, code = run(buried, "drop", ids[0])
    assert code == 0 and out.startswith("1 dead letter would be dropped") and left() == 4
    assert run(buried, "drop", "--all")[0].startswith("4 dead letters would") and left() == 4
    assert run(buried, "drop", ids[0], "--yes")[0] == "1 dead letter dropped\n" and left() == 3
    assert run(buried, "drop", ids[0], "--yes")[2] == 1
    assert run(buried, "drop", "--all", "--reason", "reason 2", "--yes")[0] == "1 dead letter dropped\n"
    for words in (["drop", "--yes"], ["requeue"], ["drop", ids[1], "--all", "--yes"], ["drop", "x", "--yes"], ["nonsense"],
                  ["list", "--limit", "0"], []):
        assert run(buried, *words)[2] == 2 and left() == 2, words


def test_a_store_that_is_away_is_named_with_what_to_do(buried):
    nowhere = f"postgresql://u:secret@127.0.0.1:{free_port()}/d"
    for words in (["dlq", "list"], ["queue", "status"], ["queue", "pause"], ["queue", "drain"], ["maintain"]):
        out, err, code = shortener(buried, *words, DATABASE_URL=nowhere)
        assert code == 2 and "the primary 127.0.0.1:" in err and "DATABASE_URL" in err and "secret" not in err + out, words
    out, err, code = shortener(buried, "queue", "peek", REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    assert code == 2 and "Redis 127.0.0.1:" in err and "REDIS_URL" in err
    empty = buried.primary.url().rsplit("/", 1)[0] + "/postgres"
    assert "run shortener migrate" in run(buried, "list", DATABASE_URL=empty)[1]
