"""The load balancer's drills: its configuration is read anew while a server leaves it and comes back; its binary is replaced."""
import asyncio
import os
import signal
import time

from stack.process import wait_until

from .stores import Reported

PAUSE = 1.0  # seconds between two reloads, or upgrades
GRACE = 45  # seconds within which the one before ends: more than its shutdown.grace


def changed(text):
    """The configuration with another policy."""
    return text.replace("    health:\n", "    policy: random\n    health:\n", 1)


def without(text, server):
    """Likewise, and with one server less."""
    return changed("".join(line for line in text.splitlines(keepends=True) if f"name: {server}" not in line))


def configuration(lb):
    with open(lb.config) as kept:
        return kept.read()


def reload(lb, text):
    """Returns when it is in force."""
    before = lb.metric("lb_config_reloads_total", result="success")
    with open(lb.config + ".new", "w") as new:
        new.write(text)
    os.replace(lb.config + ".new", lb.config)
    os.kill(lb.process.pid, signal.SIGHUP)
    wait_until(lambda: lb.metric("lb_config_reloads_total", result="success") > before, 10, "lb does not take the configuration")


async def change_policy(scene, seconds):
    lb = scene.stack.lb
    whole = configuration(lb)
    await scene.hurt(lb, "another policy for", lambda: reload(lb, changed(whole)))
    await asyncio.sleep(seconds)
    await scene.mend(lb, "the former policy for", lambda: reload(lb, whole))


async def remove_app(scene, seconds):
    """An instance that runs is taken out of the configuration, and put back."""
    lb = scene.stack.lb
    whole = configuration(lb)
    less = without(whole, scene.any_app().process.name)
    await scene.hurt(lb, "an instance taken from", lambda: reload(lb, less))
    await asyncio.sleep(seconds)
    await scene.mend(lb, "the instance given back to", lambda: reload(lb, whole))


async def upgrade(scene, seconds):
    """Another lb serves; after so many seconds the end of the one before is waited for."""
    lb = scene.stack.lb
    drains = []
    await scene.hurt(lb, "upgrade", lambda: drains.append(lb.upgrade()))
    await asyncio.sleep(seconds)
    await scene.mend(lb, "wait for the end of the former", lambda: drains[0].wait(GRACE))


def again(act, pause):
    """A break_it: one after the other, with `pause` seconds between them, until the time is over."""
    async def break_it(scene, seconds):
        end = time.monotonic() + seconds
        while True:
            await act(scene, PAUSE)
            if time.monotonic() >= end:
                return
            await asyncio.sleep(pause)
    return break_it


ALL = (
    Reported("reload-lb", "lb reads its configuration anew each second; an instance leaves it and comes back", "Nothing fails.", None,
             "kill -HUP of lb", again(remove_app, PAUSE), IS_QUIET=True, IS_OF_INSTANCES=True, BROKEN=30, SECONDS=3),
    Reported("upgrade-lb", "another lb takes over from the one that serves, again and again", "Nothing fails.", None,
             "kill -USR2 of lb", again(upgrade, 0), IS_QUIET=True, IS_OF_INSTANCES=True, BROKEN=30, SECONDS=3),
)
