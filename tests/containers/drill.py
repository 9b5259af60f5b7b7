"""What is broken while requests go on: an instance killed, the replica paused, an instance made anew as an upgrade does it."""
import asyncio

NAME = "containers"
ABOUT = "docker kill of app1, docker pause of the replica, app2 made anew"
SECONDS = 0  # as long as it takes
EJECTS = False  # lb's servers are addresses here, and an address that is gone is not ejected


async def break_it(scene, seconds):
    app1, app2 = scene.apps
    replica = scene.stack.replica
    await scene.hurt(app1, "kill", app1.kill)
    await asyncio.sleep(2)
    await scene.mend(app1, "start", app1.start)
    await asyncio.sleep(3)
    await scene.hurt(replica, "pause", replica.pause)
    await asyncio.sleep(4)
    await scene.mend(replica, "unpause", replica.resume)
    await asyncio.sleep(2)
    await scene.hurt(app2, "make anew", app2.recreate)
    await scene.mend(app2, "made anew", lambda: None)
    await asyncio.sleep(3)
