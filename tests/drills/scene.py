"""What a drill may do to the instances and the stores, and when it did it."""
import asyncio
import datetime
import os
import signal
import time

# From an instance's return to the next blow: more than the interval of anybody's probes.
PAUSE = 1.5
SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "end": signal.SIGTERM}


class Deed:
    """`what` was done to an instance, `name`. Two clocks: the load's, and lb's history's."""

    def __init__(self, what, name, under_way):
        self.what = what
        self.name = name
        self.under_way = under_way  # requests that waited for their answers at that moment
        self.at = time.monotonic()
        self.wall = time.time()


class Outage:
    """From the first blow to an instance to what brings it back."""

    def __init__(self, out):
        self.name = out.name
        self.out = out
        self.back = None


class Scene:
    def __init__(self, stack, load, dice, say):
        self.stack = stack
        self.apps = stack.apps
        self.load = load
        self.dice = dice
        self.say = say
        self.outages = []
        self.deeds = []  # all of them, as they came

    def any_app(self):
        return self.dice.choice(self.apps)

    async def blow(self, what, *apps):
        """A signal to these at once, in the middle of a burst of requests."""
        await self.load.next_burst()
        await asyncio.sleep(self.dice.uniform(0, 0.002))
        for app in apps:
            deed = self._note(what, app)
            os.kill(app.process.pid, SIGNALS[what])
            if self._outage_of(app) is None:
                self.outages.append(Outage(deed))

    async def kill(self, *apps):
        await self.blow("kill", *apps)
        for app in apps:
            await asyncio.to_thread(app.process.wait)

    async def hang(self, app):
        await self.blow("hang", app)

    async def end(self, app):
        """SIGTERM, and its end."""
        await self.blow("end", app)
        await asyncio.to_thread(app.process.wait, 30)

    async def go_on(self, app):
        self._outage_of(app).back = self._note("go on", app)
        os.kill(app.process.pid, signal.SIGCONT)

    async def start(self, *apps):
        for app in apps:
            self._outage_of(app).back = self._note("start", app)
        await asyncio.gather(*(asyncio.to_thread(app.start) for app in apps))

    async def hurt(self, part, what, act):
        """Does something to a store, by act(), while requests are under way."""
        await self.load.next_burst()
        self.outages.append(Outage(self._note(what, part)))
        await asyncio.to_thread(act)

    async def mend(self, part, what, act):
        self._outage_of(part).back = self._note(what, part)
        await asyncio.to_thread(act)

    def _outage_of(self, app):
        """The one that it is in."""
        return next((one for one in self.outages if one.name == app.process.name and one.back is None), None)

    def _note(self, what, app):
        deed = Deed(what, app.process.name, self.load.under_way)
        self.deeds.append(deed)
        self.say(f"{what} {deed.name}, {deed.under_way} requests under way")
        return deed


class Changes:
    """lb's own account of its servers' states: {(server, time): (state, reason)}; collected while it is kept."""

    def __init__(self, lb):
        self.lb = lb
        self.seen = {}

    def collect(self):
        for name, server in self.lb.upstreams().items():
            for one in server["history"]:
                when = datetime.datetime.fromisoformat(one["time"].replace("Z", "+00:00")).timestamp()
                self.seen[name, when] = (one["to"], one["reason"])

    async def watch(self):
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.collect)

    def after(self, deed, until, is_wanted):
        """Milliseconds from a deed to the first change of its server to a state that is wanted; None where there was
        none before `until`."""
        for (name, when), (state, _) in sorted(self.seen.items(), key=lambda item: item[0][1]):
            # The history's clock has milliseconds.
            if name == deed.name and deed.wall - 0.001 <= when < until and is_wanted(state):
                return round(max(0.0, when - deed.wall) * 1000, 1)
        return None
