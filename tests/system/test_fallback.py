"""A scan of codes that do not exist cannot bring the primary down: what it is asked stays under a rate, by its own
statistics, and real links are found meanwhile."""
import concurrent.futures
import secrets
import time

import pytest
from system.instances import instances
from system.test_api import call, create
from system.test_stack import whole  # noqa: F401
from system.upstream import Client, eventually

RATE, BURST, SECONDS = 50, 50, 4


def primary_lookups(stack):
    """Searches in the index of codes that the primary has counted; backends report once a second, and when they rest."""
    def read():
        return int(stack.primary.sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'links_pkey'"))
    seen, since = read(), time.monotonic()
    while time.monotonic() - since < 2.5:
        time.sleep(0.2)
        now = read()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def scan(port, until):
    """Random codes on many connections at once, for one that is beyond the rate is let wait; how many, what statuses."""
    clients, statuses, asked = [Client(port) for _ in range(100)], set(), 0
    while time.monotonic() < until:
        for client in clients:
            client.send(f"GET /{secrets.token_hex(8)} HTTP/1.1\r\nHost: a\r\n\r\n")
        for client in clients:
            statuses.add(client.response()[0])
            asked += 1
    for client in clients:
        client.close()
    return asked, statuses


@pytest.fixture
def paused(whole):  # noqa: F811
    # Enough rows that the index is used.
    whole.primary.sql("INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at) SELECT '', "
                      "'filler-' || n, 'https://example.com/', sha256(n::text::bytea), '2020-01-01', '2020-01-01' "
                      "FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING; ANALYZE links")
    whole.replica.pause_replay()
    yield whole
    whole.replica.resume_replay()


@pytest.mark.long
def test_a_scan_leaves_the_primary_under_its_rate_and_real_links_are_found(paused, tmp_path):
    settings = {"DATABASE_FALLBACK_RATE": str(RATE), "DATABASE_FALLBACK_BURST": str(BURST)}
    with instances(paused, tmp_path, **settings) as (app,), concurrent.futures.ThreadPoolExecutor(5) as pool:
        eventually(lambda: call(app.port, "GET", "/none-such")[0] == 404, 10)
        before = primary_lookups(paused)
        begun = time.monotonic()
        scans = [pool.submit(scan, app.port, begun + SECONDS) for _ in range(3)]
        found = made = 0
        while time.monotonic() < begun + SECONDS - 0.5:
            code = create(paused)["shortCode"]  # by another instance; the replica will not have it
            made += 1
            found += call(app.port, "GET", f"/{code}")[0] == 302
            time.sleep(0.05)
        results = [one.result() for one in scans]
        seconds = time.monotonic() - begun
        asked = sum(count for count, _ in results)
        used = primary_lookups(paused) - before
        # Each creation searches the index too, once for its own row.
        allowed = RATE * seconds + BURST + 5 * made
        assert asked > 3 * allowed, f"{asked} codes in {seconds:.1f} s are no scan at full speed"
        assert used <= allowed, f"the primary was asked {used} times, {allowed:.0f} were allowed, {asked} codes were scanned"
        assert used > RATE, "the statistics count nothing"
        assert made > 5 and found == made, f"{found} of {made} new links were found"
        assert set().union(*(statuses for _, statuses in results)) <= {404, 503}


def test_with_the_primary_away_a_replica_is_given_the_time_that_the_primary_would_have_had(whole, tmp_path):  # noqa: F811
    """Half a second of a hung replica is long for one of two who may be asked, and not for the last one that is left."""
    codes = [create(whole)["shortCode"] for _ in range(3)]
    eventually(lambda: whole.replica.sql(f"SELECT count(*) FROM links WHERE code = ANY('{{{','.join(codes)}}}')") == "3", 10)
    settings = {"DATABASE_TIMEOUT_REPLICA": "50ms", "DATABASE_TIMEOUT_LOOKUP": "20s", "REDIS_URL": ""}
    with instances(whole, tmp_path, **settings) as (app,):
        whole.primary.kill()
        try:
            eventually(lambda: call(app.port, "GET", "/none-such")[0] == 503, 10)
            for code in codes:
                client = Client(app.port)
                whole.replica.pause()
                client.send(f"GET /{code} HTTP/1.1\r\nHost: a\r\n\r\n")
                time.sleep(0.5)
                whole.replica.resume()
                assert client.response()[0] == 302
                client.close()
        finally:
            whole.replica.resume()
            whole.primary.start()
