"""The soak, short: nobody notices anything. Its judge finds each of the five kinds of faults that it looks for, and its schedule
follows from its seed."""
import json
import types
import xml.etree.ElementTree

import pytest
from drills import history, load, sabotage, soak, soak_ledger, soak_mix, soak_report, soak_schedule, soak_watch
from drills.history import DELETED, OK
from drills.soak_schedule import APPS, PRIMARY, REPLICA, schedule

SHORT = soak.Options(minutes=0.15, rate=150, burst=10, links=40, settle=30, seed=377)  # which has three faults within these 9 s


@pytest.mark.long
def test_a_short_soak_holds(stack, tmp_path):
    figures = soak.run(stack, SHORT)
    assert figures["held"], figures["wrong"]
    assert figures["requests"] > 1000 and figures["clicks"] > 500 and figures["spans"], figures
    assert figures["kinds"].keys() == {*soak_mix.SHARES, "make"}
    assert "**It held.**" in soak_report.page(json.loads(json.dumps(figures)))
    xml.etree.ElementTree.fromstring(soak_report.picture(figures))
    path = soak_report.write(figures, str(tmp_path))
    with open(path, "a") as page:
        page.write(f"\n{soak_report.BY_HAND}\nA fault.\n")
    soak_report.write(figures, str(tmp_path))
    with open(path) as page:
        assert page.read().count("A fault.\n") == 1, "what people wrote stays"


# --- Faults put in on purpose ---------------------------------------------------------------------------------------

@pytest.mark.long
def test_each_fault_put_in_on_purpose_is_found(stack):
    figures = soak.run(stack, soak.Options(minutes=0.2, rate=150, burst=10, links=20, sabotage=tuple(sabotage.SOAK), settle=2))
    found = {name: figures[name] for name in sabotage.SOAK}
    assert all(found.values()) and not figures["held"], found


def entry(wanted, status, error, begun=10.0):
    one = load.Entry(1, wanted, begun)
    one.done, one.status, one.error, one.outcome = begun + 0.1, status, error, load.ANSWERED
    return one


def ledger_of(faults=None):
    return soak_ledger.Ledger(0.0, faults or history.Faults(), lambda text: None)


REFUSED = "make: status 503, Temporarily unavailable, Retry-After"


def test_only_what_needs_the_primary_may_be_refused_and_only_while_that_is_away():
    faults = history.Faults()
    faults.past.append([history.PRIMARY_AWAY, 10.0, 20.0])
    ledger = ledger_of(faults)
    redirect, fresh = soak_mix.Redirect("old", "c", "t"), soak_mix.Redirect("fresh", "c", "t", made=9.5)
    for promised in (entry(soak_mix.Again("c"), 503, REFUSED), entry(soak_mix.Again("c"), 503, REFUSED, begun=23),
                     entry(soak_mix.Absent(), 503, REFUSED), entry(fresh, 503, REFUSED),
                     entry(soak_mix.Redirect("fresh", "c", "t", made=22), 503, REFUSED, begun=22.5)):
        ledger.add(promised)
    assert (ledger.refused, ledger.failed) == (5, 0)
    for failed in (entry(soak_mix.Again("c"), 503, REFUSED, begun=25), entry(soak_mix.Again("c"), 503, REFUSED + ", by the proxy"),
                   entry(soak_mix.Again("c"), 500, REFUSED), entry(redirect, 503, REFUSED),
                   entry(soak_mix.Redirect("fresh", "c", "t", made=8.5), 503, REFUSED)):
        ledger.add(failed)
    assert (ledger.refused, ledger.failed) == (5, 5)


def look(of, said, status=302):
    """What the judge says of a read that is answered so now."""
    wanted = soak_mix.Look(of, history.Faults(), [])
    return wanted.judge(types.SimpleNamespace(status=status, fields={"location": said}, body=b"", is_local=False)), wanted.is_stale


def test_a_former_target_is_stale_and_a_strange_one_is_another_fault():
    of = history.Code("c")
    now = soak_mix.time.monotonic()
    of.writes = [history.Write("a", now - 60, OK, now - 59), history.Write("b", now - 30, OK, now - 29)]
    assert look(of, "b") == (None, False)
    error, is_stale = look(of, "a")
    assert is_stale and error.startswith("stale: a former target")
    assert look(of, "", 404)[1]
    error, is_stale = look(of, "x")
    assert error and not is_stale
    of.writes.append(history.Write(DELETED, now - 1, OK, now - 0.5))
    assert look(of, "b") == (None, False), "within its time"
    assert look(of, "", 410) == (None, False)


def new(number, code="c", error=None):
    wanted = soak_mix.New(types.SimpleNamespace(repeatable=[]), f"t{number}", None, b"", False)
    wanted.code = code
    return entry(wanted, 201, error)


def test_rows_twice_and_rows_lost_are_found():
    ledger = ledger_of()
    for one in (new(1), new(2), new(3)):
        ledger.add(one)
    codes = [history.Code("x"), history.Code("y"), history.Code("z")]
    for code in codes:
        code.writes.append(history.Write("a", 1, OK, 2))
    codes[1].writes.append(history.Write(DELETED, 3, OK, 4))
    codes[2].writes.append(history.Write("b", 3, history.UNKNOWN, 4))
    codes[2].is_frozen = True
    right = {"t1": ["c"], "t2": ["c"], "t3": ["c"]}
    kept = {"x": "a", "y": DELETED, "z": "b"}
    account = soak_ledger.judge_links(ledger, right, codes, kept)
    assert (account["lost"], account["duplicated"], account["changed"]) == (0, 0, 4)
    assert soak_ledger.judge_links(ledger, {**right, "t1": ["c", "d"]}, codes, kept)["duplicated"] == 1
    assert soak_ledger.judge_links(ledger, {"t1": ["c"], "t2": ["c"]}, codes, kept)["lost"] == 1
    assert soak_ledger.judge_links(ledger, right, codes, {**kept, "x": "b"})["lost"] == 1
    assert soak_ledger.judge_links(ledger, right, codes, {**kept, "y": "a"})["lost"] == 1
    assert soak_ledger.judge_links(ledger, right, codes, {"x": "a", "y": DELETED})["lost"] == 0, "nobody knows of z"


def test_a_redirect_that_was_answered_is_a_click_and_one_that_failed_may_be():
    clicks = soak_mix.Clicks()
    for one in (entry(soak_mix.Redirect("old", "c", "t"), 302, None), entry(soak_mix.Redirect("old", "c", "t"), 302, "another"),
                entry(soak_mix.Redirect("old", "c", "t"), 503, "no"), entry(soak_mix.Redirect("old", "c", "t"), 404, "no"),
                entry(soak_mix.Absent(), 404, None)):
        clicks.add(one)
    assert (clicks.answered, clicks.failed) == ({"c": 2}, {"c": 1})
    now = soak_mix.time.monotonic()
    for code, told in (("gone", now - 60), ("going", now - 0.1)):
        of = history.Code(code)
        of.writes = [history.Write("a", now - 90, OK, now - 89), history.Write(DELETED, told, OK, told)]
        wanted = soak_mix.Look(of, history.Faults(), [])
        assert wanted.judge(types.SimpleNamespace(status=410, fields={}, body=b"", is_local=False)) is None
        clicks.add(entry(wanted, 410, None))
    assert clicks.failed == {"c": 1, "going": 1}, "an instance that died over it may have been about to redirect"


# --- Its schedule ---------------------------------------------------------------------------------------------------

def test_a_schedule_follows_from_its_seed():
    assert schedule(7, 3600) == schedule(7, 3600)
    assert schedule(7, 3600) != schedule(8, 3600)
    assert {fault.kind.name for fault in schedule(7, 3600)} == soak_schedule.KINDS.keys()


@pytest.mark.parametrize("seed", range(20))
def test_what_is_not_promised_together_is_never_broken_together(seed):
    faults = schedule(seed, 3600)
    assert 300 < len(faults) < 1200 and all(5 <= fault.at and fault.at + fault.seconds <= 3595 for fault in faults)
    overlaps = 0
    for number, fault in enumerate(faults):
        for other in faults[number + 1:]:
            if other.at < fault.at + fault.seconds:
                overlaps += 1
                assert fault.kind.part != other.kind.part
                assert {fault.kind.part, other.kind.part} != {PRIMARY, REPLICA}
                assert other.kind.part not in fault.kind.needs and fault.kind.part not in other.kind.needs
                for one, its in ((fault, other), (other, fault)):  # a server that left lb leaves the rest to serve
                    assert one.kind.name != "remove-app" or its.kind.part != APPS
    assert overlaps > 30


# --- What becomes of processes, and the page ------------------------------------------------------------------------

def test_memory_is_told_of_the_longest_life():
    mib = 2 ** 20
    samples = [(at, 10 * mib, 5, at) for at in (10, 20)] + [(at, (8 + at // 50) * mib, 7, at - 25) for at in range(30, 330, 10)]
    grown = soak_watch.grown(samples, 60)
    assert soak_watch.longest_life(samples) == samples[2:] and soak_watch.longest_life([]) == []
    assert grown["lives"] == 2 and grown["rss_mib"] == [9.0, 14.0, 14.0] and grown["files"] == [7, 7, 7]


def test_a_leak_is_found():
    steady = [(at, 20 * 2 ** 20, 50, at) for at in range(0, 900, 10)]
    assert soak.leaks(steady) == [] == soak.leaks(steady[:3])
    assert soak.leaks([(at, bytes_ + min(at, 290) * 2 ** 20, files, age) for at, bytes_, files, age in steady]) == [], "it warms up"
    assert soak.leaks([(at, bytes_ + at * 2 ** 16, files, age) for at, bytes_, files, age in steady]) != []
    assert soak.leaks([(at, bytes_, files + at, age) for at, bytes_, files, age in steady]) != []
    upgraded = steady[:20] + [(at + 200, bytes_ + at * 2 ** 16, files, age) for at, bytes_, files, age in steady]
    assert soak.leaks(upgraded) != [] == soak.leaks(steady + [(at + 900, 90 * 2 ** 20, 900, at) for at in (0, 10, 20)])
