"""The capacity model against its simulation: what one reckons the other plays out."""
import dataclasses

import pytest
from bench import capacity_model
from bench.capacity_model import Costs, Plan, capacity, forecast
from bench.capacity_simulation import simulate

COSTS = Costs(lb=20, memory=12, redis_instance=25, redis=10, replica_instance=30, replica=60, click_instance=4, click_redis=1,
              click_worker=3, click_primary=20, click_replica=5, new_instance=100, new_redis=10, new_primary=300,
              new_replica=50)
REQUESTS = 50_000
PLANS = {
    "usual": Plan(rate=110_000, batch=10),
    "Redis is away": Plan(rate=90_000, batch=10, in_redis=0.0, replicas=2),
    "cold": Plan(rate=60_000, batch=10, in_memory=0.0, in_redis=0.0, replicas=2),
    "an instance less": Plan(rate=100_000, batch=10, instances=3),
    "many new links": Plan(rate=25_000, batch=10, new=0.3),
}
UTILISATION = 0.03  # of all cores
TIME = 0.25         # of the time: the model has requests come by chance, lb gives them to the instances in turn


def play(plan):
    return simulate(plan, COSTS, REQUESTS / plan.rate)


def compare(plan, played):
    """AssertionError where model and simulation differ by more than the tolerance."""
    reckoned = forecast(plan, COSTS)
    utilisation, seconds = played
    for part, each in utilisation.items():
        assert abs(each - reckoned.utilisation[part]) < UTILISATION, (part, each, reckoned.utilisation[part])
    for kind, each in seconds.items():
        assert abs(each / reckoned.seconds[kind] - 1) < TIME, (kind, each, reckoned.seconds[kind])


@pytest.mark.parametrize("name", PLANS)
def test_model_and_simulation_agree(name):
    compare(PLANS[name], play(PLANS[name]))


BROKEN = {
    "nobody waits": ("erlang_wait", lambda load, cores, seconds: 0.0),
    "each core has a queue of its own": ("erlang_wait", lambda load, cores, seconds: load * seconds / (cores - load)),
    "an instance too many": ("queues", lambda plan, whole=capacity_model.queues: {**whole(plan), "instance": (plan.instances + 1, 1)}),
}


def test_a_model_that_is_wrong_is_noticed(monkeypatch):
    played = play(PLANS["usual"])
    compare(PLANS["usual"], played)
    for name, (what, broken) in BROKEN.items():
        with monkeypatch.context() as patch:
            patch.setattr(capacity_model, what, broken)
            with pytest.raises(AssertionError):
                compare(PLANS["usual"], played)
                print(f"{name} was not noticed")


def test_beyond_its_capacity_a_system_falls_behind_and_below_it_does_not():
    plan = Plan(rate=1, batch=10, cores=2)
    most, bottleneck = capacity(plan, COSTS, at=1.0)
    below, _ = simulate(dataclasses.replace(plan, rate=most * 0.85), COSTS, REQUESTS / most)
    beyond, _ = simulate(dataclasses.replace(plan, rate=most * 1.3), COSTS, REQUESTS / most)
    assert 0.75 < below[bottleneck] < 0.95 < 0.98 < beyond[bottleneck]


def test_the_same_seed_gives_the_same_run():
    plan = Plan(rate=20_000)
    assert simulate(plan, COSTS, 0.05, seed=7) == simulate(plan, COSTS, 0.05, seed=7) != simulate(plan, COSTS, 0.05, seed=8)
