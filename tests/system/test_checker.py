"""The checker (tests/drills/checker.py), short: a random history with faults holds, and what is put in on purpose is
found. ./ops/drill checker runs it for longer."""
import pytest
from drills import checker, history
from drills.history import ABSENT, DELETED, FAILED, OK, PENDING, UNKNOWN, Write


def possible(writes, sent, answered=None, bound=1.0):
    return set(history.possible(writes, sent, sent + 0.01 if answered is None else answered, lambda write: bound))


def test_what_is_possible_follows_from_what_was_sent_and_told():
    made = Write("a", 10, OK, 11)
    assert possible([], 5) == {ABSENT}
    assert possible([made], 9) == {ABSENT}, "nobody had asked for it"
    assert possible([made], 10.5) == {ABSENT, "a"}, "it is under way"
    assert possible([made], 11.1) == {"a"}, "its maker was told"
    changed = Write("b", 20, OK, 21)
    assert possible([made, changed], 20.5) == {"a", "b"}
    assert possible([made, changed], 21.9) == {"a", "b"}, "within its time"
    assert possible([made, changed], 22.1) == {"b"}
    assert possible([made, Write("b", 20, PENDING)], 99) == {"a", "b"}
    assert possible([made, Write("b", 20, UNKNOWN, 22)], 99) == {"a", "b"}, "it may have happened"
    assert possible([made, Write("b", 20, FAILED, 22)], 99) == {"a"}
    assert possible([Write("a", 10, UNKNOWN, 12)], 99) == {ABSENT, "a"}
    gone = Write(DELETED, 30, OK, 31)
    assert possible([made, changed, gone], 31.5) == {"b", DELETED}, "what was out of date long before stays so"
    assert possible([made, changed, gone], 40) == {DELETED}
    assert possible([made, changed], 21.5, bound=0.0) == {"b"}
    assert history.possible([made, changed], 21.5, 21.6, lambda write: 1.0)["a"] == pytest.approx(0.5)


@pytest.mark.long
def test_a_random_history_with_faults_holds(stack):
    figures = checker.run(stack, 25, seed=None)
    assert figures["held"], "\n".join(figures["wrong"][:20] + [f"seed {figures['seed']}"])
    assert figures["counts"]["GET 302"] > 500 and figures["counts"]["POST 201"] > 50, figures["counts"]
    assert sum(figures["faults"].values()) >= 3


@pytest.mark.parametrize("sabotage", checker.SABOTAGE)
def test_a_fault_put_in_on_purpose_is_found(stack, sabotage):
    figures = checker.run(stack, 60, kinds=(), sabotage=sabotage)
    assert not figures["held"], figures
