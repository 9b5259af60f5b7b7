"""Each alarm of config/alerts-clicks.yml: series that make it fire, the text that it fires with, and series that must not.

A series has a sample every 5 s, in promtool's notation (a+bxN). `at` is when it must fire at the latest: the fault is there
from the beginning.
"""
from .case import Case


def oldest(values, paused="0x300"):
    return {'shortener_click_journal_oldest_seconds{job="shortener",instance="app1"}': "0x300",
            'shortener_click_journal_oldest_seconds{job="shortener",instance="app2"}': values,
            'shortener_queue_paused{job="shortener-worker",instance="worker1"}': paused}


def journal(values, limit="1000000000x300"):
    return {'shortener_click_journal_bytes{job="shortener",instance="app1"}': values,
            'shortener_click_journal_limit_bytes{job="shortener",instance="app1"}': limit}


def dropped(values, reason="full"):
    return {f'shortener_clicks_dropped_total{{job="shortener",instance="app1",reason="{reason}"}}': values}


def worker(name, values):
    return {f'shortener_{name}{{job="shortener-worker",instance="worker1"}}': values}


CASES = {
    # Nothing is stored any more: the age grows by itself.
    "QueueBackedUp": Case(oldest("0+5x300"), [oldest("30x300"), oldest("2 25 1 29 3 31 2 0x300"), oldest("0+5x300", "1x300")],
                          "The oldest click has waited for 55s to be stored.", at="55s"),
    "QueuePaused": Case(worker("queue_paused", "1x300"), [worker("queue_paused", "0x300"), worker("queue_paused", "1x100 0x200")],
                        "Storing clicks is paused for a quarter of an hour and more.", at="16m", silent_at="16m"),
    "JournalGrowing": Case(journal("600000000x300"), [journal("400000000x300"), journal("0+1000000x300"),
                                                     journal("4000000 8000000 4000000 8000000 4000000 8000000 4000000x300")],
                           "app1: the journal of clicks is at 60% of its limit, or will be in 15 minutes.",
                           {"instance": "app1"}),
    "ClicksDropped": Case(dropped("0+100x300"), [dropped("7x300")],
                          "app1 lost 1200 clicks in the last minute: full.", {"instance": "app1", "reason": "full"}, at="60s"),
    "DeadLetters": Case(worker("dlq_length", "0 3x300"), [worker("dlq_length", "0x300")],
                        "3 clicks could not be stored and wait for somebody.", at="5s"),
    "ClicksUnplaced": Case(worker("clicks_unplaced", "1x300"), [worker("clicks_unplaced", "0x300"),
                                                                worker("clicks_unplaced", "1x10 0x300")],
                           "Clicks lie in no month's table.", at="90s"),
}
