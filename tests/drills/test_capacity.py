"""The drill of capacity: its search, its judgement of what comes beyond the limit, its report; and a short run for real."""
import contextlib
import socket
import threading
import xml.etree.ElementTree

import pytest
from drills import capacity, capacity_report
from drills.capacity import ROWS, Options


@pytest.mark.parametrize("limit, start", [(9_700, 4_000), (150, 4_000), (4_000, 4_000), (80_000, 1_000), (4_100, 4_000)])
def test_the_search_finds_the_limit_of_a_server_whose_limit_is_known(limit, start):
    tried = []

    def holds(rate):
        tried.append(rate)
        return rate <= limit
    found = capacity.highest(holds, start, precision=0.05)
    assert limit / 1.05 <= found <= limit and found in tried
    assert len(tried) == len(set(tried)) <= 20


def test_a_search_ends_where_nothing_holds_and_where_everything_does():
    assert capacity.highest(lambda rate: False, 1_000, 0.05) == 0
    tried = []
    assert capacity.highest(lambda rate: tried.append(rate) or True, 1_000, 0.05, most=2_000) == 2_000
    assert tried == [1_000, 1_500, 2_000]


@pytest.mark.parametrize("slow, failed, holds", [(0, 0, True), (0.001, 0.0005, True), (0.0011, 0, False), (0, 0.0006, False)])
def test_a_step_holds_while_both_objectives_are_kept(slow, failed, holds):
    assert capacity.is_within({"slow_share": slow, "failed_share": failed}) == holds


SHORT = Options(spans=(1, 2, 4), recovered=2)
GOOD = [[50, 50, 1, 2], [150, 150, 300, 900], [150, 140, 400, 2000], [50, 50, 40, 60], [50, 50, 1, 2], [50, 50, 1, 2], [50, 50, 1, 2]]


def test_beyond_the_limit_only_what_is_orderly_and_over_soon_is_right():
    def judge(kinds=None, **changed):
        rows = [changed.get(f"second{number}", row) for number, row in enumerate(GOOD)]
        return capacity.judge_beyond({"302": 540, "201": 5, "503, Retry-After": 5, **(kinds or {})}, rows, 100, SHORT)
    right = judge()
    assert right["wrong"] == [] and right["recovered_s"] == 1 and right["good_a_second"] == 145 and right["p99_ms"] == 2000
    for kind in ("503", "502", "404", "cut", "no connection", "no answer in time", "another link's target"):
        assert judge({kind: 3})["wrong"] == [f"3 × {kind}"]
    assert "only 10 a second" in judge(second1=[150, 10, 1, 2], second2=[150, 10, 1, 2])["wrong"][0]
    assert "not within the objective 2 s after it" in judge(second5=[50, 50, 1, 51])["wrong"][0]
    assert "not within the objective 2 s after it" in judge(second5=[50, 49, 1, 2])["wrong"][0]
    assert judge(second4=[50, 49, 1, 2])["wrong"] == []


def serve(answers):
    """A server that gives one answer after the other, whoever asks; closes after one that is not whole; and closes without
    an answer when there are no more."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = iter(answers)

    def talk(one):
        with one, contextlib.suppress(OSError):
            while one.recv(65536):
                answer = next(left, None)
                if answer is None:
                    return
                one.sendall(answer)
                if b"\r\n\r\n" not in answer:
                    return

    def work():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=[listener.accept()[0]], daemon=True).start()
    threading.Thread(target=work, daemon=True).start()
    return listener


def test_the_load_tells_every_kind_of_end_from_every_other():
    where = f"location: {capacity.TARGET}"
    right = f"HTTP/1.1 302 Found\r\nLocation: {where[10:]}1\r\nContent-Length: 2\r\n\r\nok".encode()
    answers = [right, right.replace(b"leads/1", b"leads/2"), b"HTTP/1.1 503 S\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
               b"HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 302 F"]
    with serve(answers) as listener:
        told = capacity.load(listener.getsockname()[1], [(100, 0.5)], Options(links=1, posts=0), seed=1)
    kinds, requests = told["kinds"], sum(told["kinds"].values())
    assert {kind: kinds.pop(kind) for kind in ("302", "another link's target", "503, Retry-After", "503", "an answer of another kind")} == {
        "302": 1, "another link's target": 1, "503, Retry-After": 1, "503": 1, "an answer of another kind": 1}
    assert set(kinds) <= {"cut", "closed without an answer"} and told["requests"] == requests > 20
    assert sum(row[0] for row in told["by_second"]) == told["requests"] and told["redirects"] == 1


def invented(row, limit):
    parts = {name: 0.2 for name in ("lb", "app1", "app2", "Redis", "replica", "primary", "worker", "client")}

    def step(rate, p999, holds):
        return {"rate": rate, "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 9.0, "p999_ms": p999, "new_p99_ms": 20.0, "late_p999_ms": 3.2, "slow_share": 0.02 if not holds else 0,
                "failed_share": 0, "holds": holds, "cores": parts, "us": {name: 20.0 for name in parts}, "busy_cores": 1.9, "put_off": 10,
                "redirects": 1000, "came": {"cache": 0.7, "redis": 0.2, "replica": 0.1, "primary": 0}}
    one = {"name": row.name, "limits": [limit, limit * 1.1, limit * 0.9],
           "searches": [[step(each, 12.0, True), step(each * 1.05, 80.0, False)] for each in (limit, limit * 1.1, limit * 0.9)],
           "beyond": {"rate": limit * 1.5, "kinds": {"302": 5000, "503, Retry-After": 7}, "by_second": GOOD, "slowest_ms": 2500,
                      "good_a_second": 145, "p50_ms": 350, "p99_ms": 2000, "recovered_s": 1, "wrong": []}}
    capacity.summarise(one)
    return one


def test_the_report_has_each_row_and_its_drawings_are_well_formed(tmp_path):
    rows = [invented(row, limit) for row, limit in zip(ROWS, (10_000, 8_000, 9_000, 5_000))]
    quiet = [invented(row, limit) for row, limit in zip(ROWS, (20_000, 15_000, 16_000, 12_500))]
    figures = {"quiet": quiet, "machine": "2 cores", "revision": "abc", "seed": 7, "links": 500_000, "posts": 0.01, "seconds": 10, "rounds": 3, "spans": SHORT.spans, "recovered": 2,
               "loads": [1.0, 2.0], "rows": rows, "wrong": [], "held": True}
    page = open(capacity_report.write(figures, str(tmp_path))).read()
    assert "| **memory and Redis** | **10,000** | 10,000, 11,000, 9,000 | 100% | 70% / 20% / 10% / 0% |" in page
    assert "| **neither: the replica alone** | **5,000** | 5,000, 5,500, 4,500 | 50% |" in page
    assert "| **neither: the replica alone** | **12,500** | 12,500, 13,750, 11,250 | 62% |" in page
    without = capacity_report.page({**figures, "quiet": []})
    assert "**12,500**" not in without and "clicks are not recorded" not in " ".join(without.split())
    words = " ".join(page.split())
    assert "without Redis 1.1, without the memory of the instances 1.2, without both 2.0; where clicks are not recorded: without Redis 1.2" in words
    assert "5,000 × 302, 7 × 503, Retry-After" in page and "**It held.**" in page and "10,500 | 2.00% slow" in page
    figures["rows"][2]["beyond"]["wrong"] = ["3 × cut"]
    assert "**It did not hold: memory only: 3 × cut.**" in capacity_report.page(figures)
    for name in ("capacity.svg", "capacity-beyond.svg"):
        labels = ["".join(one.itertext()) for one in xml.etree.ElementTree.parse(tmp_path / name).iter("{http://www.w3.org/2000/svg}text")]
        assert any(one.startswith("objective: 50 ms") for one in labels) and "Redis only" in labels


def test_a_short_run_ends_with_figures_of_the_real_system(stack):
    few = Options(seconds=0.6, warm=0.2, links=100, posts=0.1, start=200, most=200, spans=(1, 1, 1), rows=ROWS[1:2])
    capacity.insert_links(stack, 1, few.links)
    try:
        figures = capacity.run(stack, few, say=lambda text: None)
        [row] = figures["rows"]
        assert row["limits"] and row["beyond"]["by_second"]
        done = row["searches"][0][0]
        assert set(done["kinds"]) == {"302", "201"} and done["kinds"]["302"] > 20, done
        assert done["came"]["redis"] > 0 and done["busy_cores"] > 0 and "app1" in done["cores"], done
        assert set(row["beyond"]["kinds"]) == {"302", "201"}, row["beyond"]
    finally:
        capacity.set_row(stack, ROWS[0], few.links)
