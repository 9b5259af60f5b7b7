"""Plays a Plan of capacity_model.py out, request by request: discrete events, every queue first come first served, lb's
workers by chance and instances in turn, as lb chooses them. The same seed gives the same run."""
import collections
import heapq
import random

from .capacity_model import PARTS, kinds, queues


class Queue:
    def __init__(self, cores):
        self.idle = cores
        self.waiting = collections.deque()
        self.busy = 0.0


def simulate(plan, costs, seconds, seed=1):
    """Utilisation of each part, and mean time of each kind, once the first tenth is over; what is not done at the end counts
    as long as it has taken by then."""
    dice = random.Random(seed)
    parts = {part: [Queue(cores) for _ in range(count)] for part, (count, cores) in queues(plan).items()}
    turn = collections.Counter()
    events, number = [], 0                         # (when, number, what, ...)
    took = collections.defaultdict(list)
    shape, warm = 1 / plan.variation, seconds / 10

    def at(when, *what):
        nonlocal number
        number += 1
        heapq.heappush(events, (when, number, *what))

    def choose(part):
        if part == "instance":
            turn[part] += 1
            return parts[part][turn[part] % len(parts[part])]
        return dice.choice(parts[part])

    def begin(now, queue, job):
        queue.idle -= 1
        mean = job["visits"][job["step"]][1]
        last = dice.gammavariate(shape, mean / shape) if mean > 0 else 0.0
        queue.busy += max(0.0, min(now + last, seconds) - max(now, warm))
        at(now + last, "done", queue, job)

    def arrive(now, job):
        if job["step"] == len(job["visits"]):
            if job["began"] >= warm:
                took[job["kind"]].append(now - job["began"])
            return
        part = job["visits"][job["step"]][0]
        if part == "instance":
            job["own"] = job["own"] or choose(part)  # a request stays with its instance
        queue = job["own"] if part == "instance" else choose(part)
        if queue.idle:
            begin(now, queue, job)
        else:
            queue.waiting.append(job)

    for name, rate, visits in kinds(plan, costs):
        if rate > 0:
            at(dice.expovariate(rate), "new", name, rate, visits)
    while events and events[0][0] < seconds:
        now, _, what, *rest = heapq.heappop(events)
        if what == "new":
            name, rate, visits = rest
            at(now + dice.expovariate(rate), "new", name, rate, visits)
            arrive(now, {"kind": name, "visits": visits, "step": 0, "began": now, "own": None})
        else:
            queue, job = rest
            queue.idle += 1
            if queue.waiting:
                begin(now, queue, queue.waiting.popleft())
            job["step"] += 1
            arrive(now, job)
    for queue in (each for part in PARTS for each in parts[part]):
        for job in queue.waiting:
            if job["began"] >= warm:
                took[job["kind"]].append(seconds - job["began"])
    span = seconds - warm
    utilisation = {part: sum(queue.busy for queue in parts[part]) / span / (queues(plan)[part][0] * queues(plan)[part][1])
                   for part in PARTS}
    return utilisation, {kind: sum(each) / len(each) for kind, each in took.items()}
