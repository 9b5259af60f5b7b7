"""The stores' drills, short: what was promised holds, and a broken promise is found. And what their reports are made of."""
import dataclasses
import types
import xml.etree.ElementTree

import pytest
from drills import STORES, chaos, drill, load, plot, stores
from drills.scene import Outage
from stack import alarms

SHORT = drill.Options(rate=150, burst=10, lead=0.4, seconds=1.5, links=50)


@pytest.mark.parametrize("name", [name for name in STORES if name != "kill-worker"])  # 30 s until its clicks are taken over
def test_what_was_promised_holds(stack, name):
    figures = drill.run(STORES[name], stack, SHORT)
    assert figures["held"], (figures["wrong"], figures["errors"], figures)
    assert figures["requests"] > 100 and figures["posts"] > 20
    assert (figures["refused"] > 0) == (name == "kill-primary"), figures


def test_a_promise_that_is_broken_is_found(stack):
    """Writes that fail with the primary away count as failures where nobody has promised that they may."""
    figures = drill.run(dataclasses.replace(STORES["kill-primary"], is_promised=lambda entry, outages: False), stack, SHORT)
    assert not figures["held"] and figures["failed"] > 0 and figures["refused"] == 0, figures


def entry(error, is_post=True, status=503, due=10.5, made=None):
    one = load.Entry(1, types.SimpleNamespace(is_post=is_post, made=made), due)
    one.done, one.status, one.error = due + 0.1, status, error
    return one


def test_only_a_write_that_is_told_to_come_again_while_there_is_no_primary_is_promised():
    outage = Outage(types.SimpleNamespace(name="primary", at=10))
    outage.back = types.SimpleNamespace(at=20)
    told = "POST: status 503, Temporarily unavailable, Retry-After"
    assert stores.is_a_write_put_off(entry(told), [outage])
    assert stores.is_a_write_put_off(entry(told, due=24), [outage])
    for other in (entry("POST: status 503, Temporarily unavailable"), entry(told, is_post=False), entry(told, status=500),
                  entry(told, due=9), entry(told, due=26), entry("closed: IncompleteReadError", status=None)):
        assert not stores.is_a_write_put_off(other, [outage])


def test_a_link_of_the_last_moment_may_be_with_the_primary_alone():
    outage = Outage(types.SimpleNamespace(name="primary", at=10))
    outage.back = types.SimpleNamespace(at=20)
    told = "GET: status 503, Temporarily unavailable, Retry-After"
    assert stores.is_the_primarys_alone(entry(told, is_post=False, made=9.5), [outage])
    assert not stores.is_a_write_put_off(entry(told, is_post=False, made=9.5), [outage])
    assert stores.is_the_primarys_alone(entry(told, is_post=False, made=10.01), [outage]), "it was about to be killed"
    assert stores.is_the_primarys_alone(entry(told, is_post=False, due=20.6, made=20.5), [outage]), "it is just back"
    for made in (None, 8.5):
        assert not stores.is_the_primarys_alone(entry(told, is_post=False, made=made), [outage])
    assert not stores.is_the_primarys_alone(entry(told, is_post=False, due=25.5, made=25.4), [outage])
    assert not stores.is_the_primarys_alone(entry("GET: status 404", is_post=False, status=404, made=9.5), [outage])
    assert stores.is_the_primarys_alone(entry(told.replace("GET", "POST")), [outage])


def line(received, status, alert="RedisDown"):
    return {"received": received, "status": status, "alert": alert, "severity": "page", "labels": {"alertname": alert},
            "summary": "…"}


def test_an_alarm_is_told_with_the_second_at_which_its_webhook_came():
    lines = [line("2026-01-01T00:00:20.500+00:00", "firing"), line("2026-01-01T00:00:30+00:00", "firing"),
             line("2026-01-01T00:01:00+00:00", "resolved"), line("2026-01-01T00:00:10+00:00", "resolved", "Earlier")]
    wall = chaos.moment("2026-01-01T00:00:00Z")
    assert [(one["alert"], one["fired_s"], one["ended_s"]) for one in chaos.alarms_since(lines, wall)] == [("RedisDown", 20.5, 60)]
    assert not chaos.is_firing("RedisDown", lines) and chaos.is_firing("RedisDown", lines[:2])
    assert not chaos.is_firing("Other", lines)


def test_what_alertmanager_posts_becomes_a_line_for_each_alarm():
    body = ('{"alerts": [{"status": "firing", "labels": {"alertname": "A", "severity": "page"}, "startsAt": "then",'
            '"annotations": {"summary": "words"}}, {"status": "resolved", "labels": {"alertname": "B"}, "startsAt": "now"}]}')
    first, second = alarms.lines_of(body, "here")
    assert (first["alert"], first["severity"], first["summary"], first["received"]) == ("A", "page", "words", "here")
    assert (second["alert"], second["status"], second["summary"]) == ("B", "resolved", None)


def test_a_drawing_is_well_formed_and_within_its_bounds():
    panel = plot.Panel("latency <ms>", [plot.Line("p99 & more", "#000", [(-5, 3), (0, None), (1, 30000), (2, 0.01)])], is_log=True)
    empty = plot.Panel("errors", [plot.Line("failed", "#f00", [(-5, 0), (2, 0)])])
    drawing = xml.etree.ElementTree.fromstring(plot.svg("a <title>", [panel, empty], (-5, 10), [(0, 4), (6, 7)], [(1, "RedisDown"), (3, "B")]))
    words = ["".join(one.itertext()) for one in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "a <title>" in words and "RedisDown" in words and "p99 & more" in words
    for path in drawing.iter("{http://www.w3.org/2000/svg}path"):
        numbers = [float(number) for number in path.get("d").replace("M", " ").replace("L", " ").split()]
        assert all(0 <= number <= plot.WIDTH for number in numbers)


@pytest.mark.parametrize("value, top", [(0, 4), (3, 4), (5, 6), (61, 80), (100, 100), (101, 200), (999, 1000)])
def test_an_axis_ends_at_a_round_number(value, top):
    assert plot.nice(value) == top
