"""What the soak breaks, and when: a schedule that follows from its seed and nothing else.

Faults of different parts may overlap, since that is what happens to a system that runs for long; where the system promises
nothing for two at once (APART), or one needs a part that the other breaks, they do not.
"""
import dataclasses
import random

from . import balancer, flap, hang_app, hang_kill_app, history, kill_all_apps, kill_app, rolling_restart, stores

LB, APPS, REDIS, REPLICA, PRIMARY, WORKERS = PARTS = ("lb", "instances", "Redis", "replica", "primary", "workers")
# Without primary and replica nobody knows a link that is in no cache (docs/stores.md).
APART = ({PRIMARY, REPLICA},)
RECOVERY = {LB: 2.0, APPS: 2.0, REDIS: 2.0, REPLICA: 2.0, PRIMARY: 6.0, WORKERS: 3.0}  # seconds before the part is broken again
LEAD = 5.0  # seconds without any fault, at both ends
PAUSE = 2.5  # between two attempts at a fault, on average; many are barred by others
CALM, CALM_SHARE = (10.0, 20.0), 0.05  # and a longer one, now and then


@dataclasses.dataclass(frozen=True)
class Kind:
    """`act(stage, seconds)` is a coroutine of stage.py's; `means` is what it is to the promises of history.py."""
    name: str
    part: str
    seconds: tuple  # from, to
    weight: int
    act: object
    needs: tuple = ()  # parts that must be well meanwhile
    means: tuple = ()

    def bars(self, other):
        """May the two not be at once?"""
        return self.part == other.part or self.part in other.needs or other.part in self.needs or \
            {self.part, other.part} in APART


@dataclasses.dataclass(frozen=True)
class Fault:
    at: float  # seconds from the load's first request
    kind: Kind
    seconds: float
    dice: int  # the seed of its own dice: which instance, which worker

    def line(self):
        return f"{self.at:8.1f} s  {self.kind.name:<22} {self.seconds:5.1f} s"


def broken_by(name, part, break_it, low, high, weight, **more):
    """What a drill of its own does, as it is."""
    async def act(stage, seconds):
        await break_it(stage.scene, seconds)
    return Kind(name, part, (low, high), weight, act, **more)


def instances(drill, low, high, weight, **more):
    return broken_by(drill.NAME, APPS, drill.break_it, low, high, weight, **more)


def store(name, part, low, high, weight, **more):
    drill = next(one for one in stores.ALL if one.NAME == name)
    return broken_by(name, part, drill.break_it, low, high, weight, **more)


def hung(name, part, low, high, weight, **more):
    """SIGSTOP of a store, where no drill of its own does it."""
    what = stores.broken(part, "hang", lambda one, _: one.pause(), "go on", lambda one, _: one.resume())
    return broken_by(name, part, what, low, high, weight, **more)


def of_clicks(name, method, part, low, high, weight, **more):
    """One of those of the drill of clicks."""
    async def act(stage, seconds):
        await getattr(stage.clicks(seconds), method)()
    return Kind(name, part, (low, high), weight, act, **more)


AWAY = (history.PRIMARY_AWAY,)
HANGS = (history.APP_HANGS,)
KINDS = {kind.name: kind for kind in (
    broken_by("reload-lb", LB, balancer.change_policy, 0.5, 10, 2),
    broken_by("remove-app", LB, balancer.remove_app, 0.5, 8, 2, needs=(APPS,)),
    broken_by("upgrade-lb", LB, balancer.upgrade, 0, 1, 1),
    instances(kill_app, 1, 8, 4),
    instances(hang_app, 0.5, 8, 4, means=HANGS),
    instances(hang_kill_app, 0.5, 4, 2, means=HANGS),
    instances(rolling_restart, 1.5, 3, 2),
    instances(kill_all_apps, 0.1, 1, 2, needs=(PRIMARY,)),
    instances(flap, 3, 12, 1),
    store("kill-redis", REDIS, 0.5, 40, 3),
    store("hang-redis", REDIS, 0.5, 20, 3),
    store("flush-redis", REDIS, 0, 0, 3),
    of_clicks("lose-redis", "redis_away", REDIS, 0.5, 40, 2),
    store("pause-replica", REPLICA, 0.5, 30, 3),
    store("kill-replica", REPLICA, 0.5, 20, 3),
    hung("hang-replica", REPLICA, 0.5, 15, 3),
    store("kill-primary", PRIMARY, 0.5, 20, 6, means=AWAY),
    of_clicks("hang-primary", "hang_primary", PRIMARY, 0.5, 8, 4, means=AWAY),
    of_clicks("kill-worker", "kill_worker", WORKERS, 1, 20, 2, needs=(PRIMARY, REDIS)),
    of_clicks("hang-worker", "hang_worker", WORKERS, 1, 40, 2, needs=(PRIMARY, REDIS)),
    of_clicks("poison", "poison", WORKERS, 0, 0, 1, needs=(PRIMARY, REDIS)),
)}


def schedule(seed, seconds, kinds=tuple(KINDS)):
    """All faults of a run of so many seconds, in their order."""
    dice = random.Random(f"{seed} faults")
    chosen = [KINDS[name] for name in kinds]
    faults = []
    at = lead = min(LEAD, seconds / 20)
    while True:
        kind = dice.choices(chosen, [one.weight for one in chosen])[0]
        low, high = kind.seconds
        length = low + (high - low) * dice.random() ** 2  # more short ones than long ones
        if at + length + lead > seconds:
            return faults
        if all(at >= other.at + other.seconds + RECOVERY[other.kind.part] or not kind.bars(other.kind) for other in faults[-50:]):
            faults.append(Fault(round(at, 2), kind, round(length, 2), dice.getrandbits(32)))
        at += dice.uniform(*CALM) if dice.random() < CALM_SHARE else dice.expovariate(1 / PAUSE)
