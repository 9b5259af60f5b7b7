"""Clicks, from the redirect to the database: none is lost, none counts twice, whatever is killed on the way."""
import contextlib
import glob
import os
import signal
import subprocess
import tempfile
import time
import uuid

import pytest
from drills import clicks as drill
from stack import ports
from stack.programs import Shortener, Worker, built
from stack.stack import Stack, create_link, follow_once, patient_timeouts
from system.test_app_operation import get
from system.upstream import Client, eventually


@pytest.fixture(scope="module")
def clicks_stack():
    """A system of its own, whose time-outs are short, and whose Redis and primary may be killed."""
    with tempfile.TemporaryDirectory(prefix="holdfast-clicks-") as folder:
        os.chmod(folder, 0o755)
        stack = Stack(folder, is_durable=False, env={**patient_timeouts(), **drill.QUICK}).start()
        yield stack
        stack.stop()


@pytest.fixture
def whole(clicks_stack):
    drill.make_whole(clicks_stack)
    yield clicks_stack
    drill.make_whole(clicks_stack)


@contextlib.contextmanager
def instance(stack, folder, name="own", **env):
    one = Shortener(name, str(folder), ports.free_port(), {**stack.app_env(), **env})
    one.start()
    try:
        yield one
    finally:
        one.process.resume()
        one.stop()


def make(stack):
    status, link = create_link(stack.url(), "https://example.com/")
    assert status == 201, link
    return link["shortCode"]


def click(port, code, count=1, **fields):
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    for _ in range(count):
        client = Client(port)
        client.send(f"GET /{code} HTTP/1.1\r\nHost: a\r\n{head}\r\n")
        assert client.response()[0] == 302
        client.close()


def total(stack, code):
    """What every book of this code says; they are never at odds."""
    books = {name: book.get(code, 0) for name, book in drill.read_books(stack.primary, [code]).items()}
    assert len(set(books.values())) == 1, books
    return books["totals"]


def counted(stack, code, count, seconds=20):
    eventually(lambda: total(stack, code) >= count, seconds, f"{count} clicks are not counted")
    assert total(stack, code) == count


def test_a_click_is_one_row_and_one_in_each_sum_and_a_head_is_none(whole):
    code = make(whole)
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Mobile/15E148"
    click(whole.lb.public, code, 3, Referer="https://News.example/x", User_Agent=agent)
    click(whole.lb.public, code, 2, User_Agent="Googlebot/2.1")
    client = Client(whole.lb.public)
    client.send(f"HEAD /{code} HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.response(to_head=True)[0] == 302
    counted(whole, code, 5)
    sql = whole.primary.sql
    assert sql(f"SELECT DISTINCT referrer, click_device_v1(device), is_bot, address FROM clicks WHERE code = '{code}' "
               "ORDER BY 1") == "|bot|t|127.0.0.0/24\nnews.example|mobile|f|127.0.0.0/24"
    assert sql(f"SELECT total, bots FROM link_visits WHERE code = '{code}'") == "5|2"
    assert sql(f"SELECT dim, val, n, bots FROM click_daily WHERE code = '{code}' ORDER BY 1, 2") == \
        "device|bot|2|2\ndevice|mobile|3|0\nreferrer||2|2\nreferrer|news.example|3|0"
    assert sql(f"SELECT count_visitors_v1(sketch) FROM click_visitors WHERE code = '{code}'") == "1"


def test_a_request_that_two_instances_answered_is_one_click(whole):
    code = make(whole)
    request = uuid.uuid4().hex
    for app in whole.apps:
        click(app.port, code, 2, X_Request_ID=request)
    click(whole.apps[0].port, code, 1, X_Request_ID=uuid.uuid4().hex)
    counted(whole, code, 2)


def test_clicks_of_a_process_that_was_killed_are_stored_after_its_next_start(whole, tmp_path):
    code = make(whole)
    with instance(whole, tmp_path, CLICKS_STREAM="nowhere") as app:  # nobody has its clicks when it dies
        click(app.port, code, 50)
        assert app.metric("shortener_clicks_recorded_total") == 50
        app.kill()
        assert total(whole, code) == 0
    with instance(whole, tmp_path) as app:
        counted(whole, code, 50)
        eventually(lambda: app.metric("shortener_click_journal_waiting") == 0, 10, "it hears that they are stored")
        eventually(lambda: len(glob.glob(str(tmp_path / "own.clicks" / "*.clicks"))) == 1, 10, "what is stored is cut away")


def test_a_torn_tail_loses_nothing_before_it(whole, tmp_path):
    code = make(whole)
    with instance(whole, tmp_path, CLICKS_STREAM="nowhere") as app:
        click(app.port, code, 10)
        app.kill()
    segment, = glob.glob(str(tmp_path / "own.clicks" / "*.clicks"))
    with open(segment, "rb+") as file:
        file.truncate(os.path.getsize(segment) - 3)  # the last click's frame
    with instance(whole, tmp_path) as app:
        counted(whole, code, 9)
        assert app.metric("shortener_click_journal_damaged_total") == 1
        assert "the end of a segment is not whole" in app.process.log_text()


def test_two_instances_never_share_a_folder(whole, tmp_path):
    with instance(whole, tmp_path) as app:
        env = {**os.environ, **whole.app_env(), "LISTEN": "127.0.0.1:0", "CLICKS_FOLDER": str(tmp_path / "own.clicks")}
        done = subprocess.run([built("shortener"), "serve"], env=env, capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        assert f"pid {app.process.pid}" in done.stderr and "CLICKS_FOLDER" in done.stderr


def test_without_redis_an_instance_stores_its_clicks_itself(whole, tmp_path):
    code = make(whole)
    with instance(whole, tmp_path, REDIS_URL="") as app:
        click(app.port, code, 30)
        counted(whole, code, 30)
        assert app.metric("shortener_clicks_stored_directly_total") == 30
        done = subprocess.run([built("shortener"), "worker"], capture_output=True, text=True, timeout=30,
                              env={**os.environ, **app.process.env})
        assert done.returncode == 1 and "REDIS_URL" in done.stderr


def test_an_instance_that_stores_its_clicks_itself_does_so_once_a_second(whole, tmp_path):
    """Each batch writes the sums of every code in it: many small ones cost the primary as much as many full ones (5,000)."""
    code = make(whole)
    with instance(whole, tmp_path, REDIS_URL="") as app:
        began = time.monotonic()
        clicks = 0
        while time.monotonic() - began < 3:
            click(app.port, code)
            clicks += 1
        counted(whole, code, clicks)
        took = time.monotonic() - began
        small = int(whole.primary.sql(f"SELECT count(*) FROM (SELECT FROM clicks WHERE code = '{code}' "
                                      "GROUP BY xmin::text HAVING count(*) < 5000) batch"))
        assert small <= took + 1, f"{small} batches that were not full in {took:.1f} s"


def test_a_full_journal_drops_its_oldest_counts_them_and_redirects_go_on(whole, tmp_path):
    code = make(whole)
    with instance(whole, tmp_path, CLICKS_SIZE="1MiB", CLICKS_SEGMENT_SIZE="64KiB", CLICKS_STREAM="nowhere") as app:
        client = Client(app.port)
        referrer = "r" * 240 + ".example"
        sent = 0
        while sent < 4200:
            for _ in range(100):
                client.send(f"GET /{code} HTTP/1.1\r\nHost: a\r\nReferer: https://{referrer}/\r\n\r\n")
            for _ in range(100):
                assert client.response()[0] == 302
            sent += 100
        dropped = app.metric("shortener_clicks_dropped_total", reason="full")
        assert 0 < dropped < sent
        assert app.metric("shortener_click_journal_bytes") <= 1024 * 1024
        assert "its oldest segment is dropped" in app.process.log_text()
        app.stop()
    with instance(whole, tmp_path):
        counted(whole, code, sent - dropped, 40)


def test_paused_nothing_is_stored_and_nothing_lost(whole):
    code = make(whole)
    whole.primary.sql("UPDATE click_control SET is_paused = true")
    try:
        eventually(lambda: whole.worker.metric("shortener_queue_paused") == 1)
        click(whole.lb.public, code, 20)
        eventually(lambda: whole.worker.metric("shortener_queue_clicks") >= 20, 15)
        assert whole.worker.metric("shortener_queue_oldest_seconds") > 0
        assert total(whole, code) == 0
    finally:
        whole.primary.sql("UPDATE click_control SET is_paused = false")
    counted(whole, code, 20)
    eventually(lambda: whole.worker.metric("shortener_queue_clicks") == 0, 15)


def test_a_record_that_cannot_be_stored_is_a_dead_letter_and_the_others_of_its_batch_are_stored(whole):
    code = make(whole)
    good = drill.record(code.encode())
    before = whole.worker.metric("shortener_worker_dead_lettered_total")
    for bytes_ in (drill.entry([good, drill.record(b"bad\xff"), good]), b"rubbish",
                   drill.entry([good, b"\x03\0\x09ab", good])):
        whole.redis.add("holdfast:clicks", "d", bytes_)
    whole.redis.add("holdfast:clicks", "other", "field")
    counted(whole, code, 4)
    eventually(lambda: whole.worker.metric("shortener_worker_dead_lettered_total") == before + 4)
    rows = whole.primary.sql("SELECT kind, sqlstate, reason, length(bytes) > 0, attempts FROM dead_clicks ORDER BY "
                             "first_seen DESC LIMIT 4").splitlines()
    assert len([row for row in rows if row.startswith("record|22021|")]) == 1
    assert len([row for row in rows if row.startswith("record||a record of a version")]) == 1
    assert len([row for row in rows if row.startswith("entry||")]) == 2
    eventually(lambda: whole.worker.metric("shortener_dlq_length") >= 4)
    eventually(lambda: whole.redis.command("XLEN", "holdfast:clicks") == ":0\r\n", 10, "they are off the stream")


def test_what_workers_die_of_again_and_again_is_put_aside_unread(whole):
    """It is delivered to workers that never say what became of it."""
    code = make(whole)
    whole.worker.stop()
    stream = "holdfast:clicks"
    whole.redis.add(stream, "d", drill.entry([drill.record(code.encode())]))
    whole.redis.command("XREADGROUP", "GROUP", "workers", "victim", "COUNT", "1", "STREAMS", stream, ">")
    for _ in range(5):
        whole.redis.command("XAUTOCLAIM", stream, "workers", "victim", "0", "0", "COUNT", "1")
    whole.worker.start()
    eventually(lambda: whole.primary.sql("SELECT count(*) FROM dead_clicks WHERE reason LIKE 'workers that took it died%'")
               != "0", 15)
    assert total(whole, code) == 0


def test_a_worker_ends_in_order_and_leaves_no_name_behind(whole, tmp_path):
    whole.worker.stop()
    worker = Worker("second", str(tmp_path), ports.free_port(), whole.app_env()).start()
    code = make(whole)
    click(whole.lb.public, code, 20)
    counted(whole, code, 20)
    assert get(worker.port, "/health")[0] == 200 and get(worker.port, "/ready") == (200, "ready\n")
    assert worker.metric("shortener_dependency_up", dependency="redis") == 1
    assert f"-{worker.process.pid}-" in whole.redis.command("XINFO", "CONSUMERS", "holdfast:clicks", "workers")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait() == 0 and "stopped" in worker.process.log_text()
    assert f"-{worker.process.pid}-" not in whole.redis.command("XINFO", "CONSUMERS", "holdfast:clicks", "workers")


def test_a_worker_without_its_stores_waits_and_ends_all_the_same(whole, tmp_path):
    env = {**whole.app_env(), "DATABASE_URL": "postgres://nobody@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
    worker = Worker("lonely", str(tmp_path), ports.free_port(), env).start()
    eventually(lambda: worker.metric("shortener_dependency_up", dependency="redis") == 0)
    assert get(worker.port, "/health")[0] == 200
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait() == 0


def test_the_turn_of_a_month_does_not_make_two_clicks_of_a_request(whole):
    turn = int(whole.primary.sql("SELECT extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') "
                                 "+ interval '1 month') * 1000").split(".")[0])
    code = make(whole)
    for at in (turn - 50, turn + 50):
        whole.primary.sql(
            f"SELECT ingest_clicks_v1('{{00000000-0000-0000-0000-{code.encode().hex()[:12]}}}', '{{{at}}}', '{{{code}}}', "
            "'{\"\"}', '{1}', '{f}', '{0}', '{\"\"}', '{NULL}', '{}', '{}', '{}', '{}', '[]')")
    assert total(whole, code) == 1


@pytest.mark.parametrize("fault", drill.FAULTS)
def test_the_books_agree_whatever_breaks(whole, fault):
    figures = drill.run(whole, drill.Options(rate=150, burst=10, hold=3, primary_away=3, faults=(fault,)))
    assert figures["held"], figures
    assert figures["answered"] > 100 and figures["failed"] == 0


def test_what_a_batch_reads_does_not_grow_with_the_day(stack):
    """Whatever the planner knows of click_daily: a new table, or one that has grown since it was analyzed, is no reason to walk over it."""
    batch = """SELECT ingest_clicks_v1(array_agg(gen_random_uuid()), array_agg((extract(epoch FROM now()) * 1000)::bigint),
        array_agg('reads{0}x' || i), array_agg('r' || i % 50 || '.example'), array_agg(1::smallint), array_agg(false), array_agg(0),
        array_agg(''::text), array_fill(NULL::cidr, ARRAY[count(*)::integer]), '{{}}', '{{}}', '{{}}', '{{}}', '[]') FROM generate_series(1, {1}) AS i"""

    def read():
        stack.primary.sql("SELECT pg_stat_force_next_flush()")
        return int(stack.primary.sql("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_user_tables WHERE relname = 'click_daily'"))
    stack.primary.sql("ALTER TABLE click_daily SET (autovacuum_enabled = off)")
    try:
        for number in range(8):
            stack.primary.sql(batch.format(number, 2000))
        before = read()
        for number in range(8):
            stack.primary.sql(batch.format(number, 50))
        assert read() - before < 8 * 50 * 40, "a few rows for each code, of 32,000 that there are"
    finally:
        stack.primary.sql("ALTER TABLE click_daily RESET (autovacuum_enabled)")
        for table in ("clicks", "link_visits", "click_quarters", "click_daily", "click_visitors"):
            stack.primary.sql(f"DELETE FROM {table} WHERE code LIKE 'reads%x%'")
