"""The load balancer's drill: its configuration is read anew, again and again, while a server leaves it and comes back."""
import asyncio
import os
import signal
import time

from stack.process import wait_until

from .stores import Reported

PAUSE = 1.0  # seconds between two reloads


def without(text, server):
    """The configuration with one server less, and another policy."""
    lines = [line for line in text.splitlines(keepends=True) if f"name: {server}" not in line]
    return "".join(lines).replace("    health:\n", "    policy: random\n    health:\n", 1)


def reload(lb, text):
    """Returns when it is in force."""
    before = lb.metric("lb_config_reloads_total", result="success")
    with open(lb.config + ".new", "w") as new:
        new.write(text)
    os.replace(lb.config + ".new", lb.config)
    os.kill(lb.process.pid, signal.SIGHUP)
    wait_until(lambda: lb.metric("lb_config_reloads_total", result="success") > before, 10, "lb does not take the configuration")


async def reload_again(scene, seconds):
    lb = scene.stack.lb
    with open(lb.config) as kept:
        whole = kept.read()
    less = without(whole, scene.stack.apps[1].process.name)
    end = time.monotonic() + seconds
    while True:
        await scene.hurt(lb, "reload without an instance", lambda: reload(lb, less))
        await asyncio.sleep(PAUSE)
        await scene.mend(lb, "reload with all instances", lambda: reload(lb, whole))
        if time.monotonic() >= end:
            return
        await asyncio.sleep(PAUSE)


ALL = (
    Reported("reload-lb", "lb reads its configuration anew each second; an instance leaves it and comes back", "Nothing fails.", None,
             "kill -HUP of lb", reload_again, IS_QUIET=True, IS_OF_INSTANCES=True, BROKEN=30, SECONDS=3),
)
