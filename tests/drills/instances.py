"""The instances' drills as they are reported: broken for so long that their alarm comes, or watched for that none does.

Their modules are what docs/zero-drop.md tells of: quick, again and again. Here an instance may stay away for longer.
"""
import asyncio

from . import flap, hang_app, hang_kill_app, kill_all_apps, kill_app, rolling_restart
from .scene import PAUSE
from .stores import NOBODY_NOTICES, Reported

AGAIN = 15  # seconds of kills, one after the other, once the long one is over


async def kill_for_long(scene, seconds):
    app = scene.any_app()
    await scene.kill(app)
    await asyncio.sleep(seconds)
    await scene.start(app)
    await asyncio.sleep(PAUSE)
    await kill_app.break_it(scene, AGAIN)


def of(drill, command, about=None, **more):
    """Its report: what `drill` does, unless another break_it is given."""
    return Reported(**{"NAME": drill.NAME, "ABOUT": about or drill.ABOUT, "PROMISE": NOBODY_NOTICES, "ALARM": None, "command": command,
                       "break_it": drill.break_it, "EJECTS": drill.EJECTS, "IS_OF_INSTANCES": True, **more})


ALL = (
    of(kill_app, "kill -9 an instance", "kill -9 of an instance, which stays dead for a while; then of any, again and again",
       break_it=kill_for_long, ALARM="InstanceDown", BROKEN=40),
    of(hang_app, "kill -STOP an instance", "SIGSTOP of an instance; it goes on later", ALARM="InstanceDown", BROKEN=40),
    of(hang_kill_app, "kill -STOP an instance, then kill -9", "SIGSTOP of an instance, kill -9 of it while it hangs, then its start",
       ALARM="InstanceDown", BROKEN=32),
    of(kill_all_apps, "kill -9 all instances", "kill -9 of all instances at once; they start again 3 s later",
       PROMISE="Nothing fails: requests wait for the first instance that is back, and RedirectsSlow may tell of it.", BROKEN=3),
    of(rolling_restart, "kill -TERM one instance, and start it, then the next", PROMISE="Nothing fails: a deploy is no event.",
       IS_QUIET=True, BROKEN=10),
    of(flap, "kill -9 any instance, each second", "kill -9 of a random instance each second, each started again at once", BROKEN=40),
)
