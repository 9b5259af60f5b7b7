"""The drill as a test, short: a killed instance is not noticed by anybody."""
from drills import kill_app


def test_a_killed_instance_costs_no_get(stack):
    figures = kill_app.run(stack, rate=150, seconds=4.5, say=lambda text: None)
    assert figures["failed"] == 0, figures
    assert kill_app.is_held(figures), figures
    assert figures["retried"] > 0, "nothing was in flight: the drill did not test what it names"
    assert figures["ledger imbalance"] == 0, figures
