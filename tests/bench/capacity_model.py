"""What so many instances and stores can carry, and how long a request takes then: a network of queues, reckoned with.

Each part is a number of queues with a number of cores each. A request goes through parts and takes CPU in each; a queue's
wait is Erlang's for that many cores, times (1 + c²) / 2 for times that vary otherwise (exact for one core: Pollaczek and
Khinchine). capacity_simulation.py plays the same out; tests/system/test_capacity.py compares the two.
Run it for the table of docs/scaling.md.
"""
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Costs:
    """Microseconds of CPU, measured: docs/scaling.md says where."""
    lb: float
    memory: float          # of the instance, for a redirect from its memory
    redis_instance: float  # of the instance, for one from Redis
    redis: float           # of Redis for it
    replica_instance: float
    replica: float
    click_instance: float  # what recording and sending a click costs beside its redirect
    click_redis: float
    click_worker: float
    click_primary: float
    click_replica: float   # what a replica does to follow
    new_instance: float    # of a new link
    new_redis: float
    new_primary: float
    new_replica: float


@dataclasses.dataclass(frozen=True)
class Plan:
    rate: float                 # requests a second, all of them
    new: float = 0.01           # share of them that makes links
    in_memory: float = 0.75     # share of the redirects whose link the instance has
    in_redis: float = 0.9       # share of the others whose link Redis has
    lb_workers: int = 4
    instances: int = 4
    replicas: int = 1
    cores: int = 4              # of each database server
    workers: int = 2
    variation: float = 0.5      # c² of one kind's times
    batch: int = 100            # clicks that a worker stores at once


PARTS = ("lb", "instance", "redis", "replica", "primary", "worker")


def queues(plan):
    """Of each part: how many queues, and cores behind each."""
    return {"lb": (plan.lb_workers, 1), "instance": (plan.instances, 1), "redis": (1, 1), "replica": (plan.replicas, plan.cores),
            "primary": (1, plan.cores), "worker": (plan.workers, 1)}


def kinds(plan, costs):
    """What requests there are: name, how many a second, and the seconds of CPU part by part. A store is waited for between
    two halves of what the instance does. Clicks come in batches, behind the scenes."""
    us = 1e-6
    redirects, new = plan.rate * (1 - plan.new), plan.rate * plan.new
    missed = redirects * (1 - plan.in_memory)
    lb = ("lb", costs.lb * us)

    def by_way_of(store, instance, *cost):
        half = ("instance", (instance + (costs.click_instance if store != "primary" else 0)) / 2 * us)
        return [lb, half, *((part, each * us) for part, each in zip((store, "redis"), cost)), half]
    many = plan.batch * us
    return [
        ("memory", redirects * plan.in_memory, [lb, ("instance", (costs.memory + costs.click_instance) * us)]),
        ("redis", missed * plan.in_redis, by_way_of("redis", costs.redis_instance, costs.redis)),
        ("replica", missed * (1 - plan.in_redis), by_way_of("replica", costs.replica_instance, costs.replica)),
        ("new", new, by_way_of("primary", costs.new_instance, costs.new_primary, costs.new_redis)),
        ("clicks", redirects / plan.batch, [("redis", costs.click_redis * many), ("worker", costs.click_worker * many),
                                            ("primary", costs.click_primary * many)]),
        ("replay", new, [("replica", costs.new_replica * us)] * plan.replicas),  # each of them does all of it
        ("replay of clicks", redirects / plan.batch, [("replica", costs.click_replica * many)] * plan.replicas),
    ]


def erlang_wait(load, cores, seconds):
    """Mean wait in a queue with that many cores, of which `load` are busy; times vary as e^-x."""
    if load >= cores:
        return math.inf
    blocked = 1.0
    for each in range(1, cores + 1):  # Erlang B, step by step
        blocked = load * blocked / (each + load * blocked)
    waits = cores * blocked / (cores - load * (1 - blocked))
    return waits * seconds / (cores - load)


@dataclasses.dataclass(frozen=True)
class Forecast:
    utilisation: dict   # part: share of its cores that is busy
    seconds: dict       # kind: mean time from begin to end
    redirect: float     # the same of all redirects
    bottleneck: str


def forecast(plan, costs):
    rates, busy, squares = ({part: 0.0 for part in PARTS} for _ in range(3))
    for _, rate, visits in kinds(plan, costs):
        for part, seconds in visits:
            rates[part] += rate
            busy[part] += rate * seconds
            squares[part] += rate * seconds**2 * (1 + plan.variation)
    waits, utilisation = {}, {}
    for part, (count, cores) in queues(plan).items():
        utilisation[part] = busy[part] / (count * cores)
        if rates[part] == 0:
            waits[part] = 0.0
            continue
        mean = busy[part] / rates[part]
        waits[part] = erlang_wait(busy[part] / count, cores, mean) * squares[part] / rates[part] / mean**2 / 2
    took = {name: sum(waits[part] + seconds for part, seconds in visits) for name, _, visits in kinds(plan, costs)}
    followed = [(rate, took[name]) for name, rate, _ in kinds(plan, costs) if name in ("memory", "redis", "replica") and rate]
    return Forecast(utilisation, took, sum(rate * each for rate, each in followed) / sum(rate for rate, _ in followed),
                    max(utilisation, key=utilisation.get))


def capacity(plan, costs, at=0.6):
    """The highest rate at which no part is busier than that, and which part it is that is."""
    one = forecast(dataclasses.replace(plan, rate=1.0), costs)
    return at / one.utilisation[one.bottleneck], one.bottleneck


# Microseconds; docs/scaling.md says where each comes from.
MEASURED = Costs(lb=13.2, memory=10.0, redis_instance=14.7, redis=5.3, replica_instance=12.0, replica=13.9, click_instance=0.5,
                 click_redis=0.3, click_worker=0.5, click_primary=37.9, click_replica=6.6, new_instance=77.7, new_redis=16.1,
                 new_primary=155.4, new_replica=40.2)


def main():
    plans = {"usual": Plan(rate=1), "Redis away": Plan(rate=1, in_redis=0.0), "cold": Plan(rate=1, in_memory=0.0, in_redis=0.0),
             "one instance less": Plan(rate=1, instances=3), "databases with 16 cores": Plan(rate=1, cores=16),
             "the same, cold": Plan(rate=1, cores=16, in_memory=0.0, in_redis=0.0)}
    print("| plan | requests/s | full first | " + " | ".join(PARTS) + " | a redirect |\n|---|---|---|" + "---|" * 7)
    for name, plan in plans.items():
        most, first = capacity(plan, MEASURED)
        there = forecast(dataclasses.replace(plan, rate=most), MEASURED)
        busy = " | ".join(f"{there.utilisation[part]:.0%}" for part in PARTS)
        print(f"| {name} | {most:,.0f} | {first} | {busy} | {there.redirect * 1e6:.0f} µs |")


if __name__ == "__main__":
    main()
