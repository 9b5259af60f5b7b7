"""A deploy: each instance is ended with SIGTERM and started again, one after the other."""
import asyncio

from .scene import PAUSE

NAME = "rolling-restart"
ABOUT = "SIGTERM and start of each instance, each back before the next"
SECONDS = PAUSE  # between one's return and the next one's end
EJECTS = True


async def break_it(scene, seconds):
    for app in scene.apps:
        await scene.end(app)
        await scene.start(app)
        if app is not scene.apps[-1]:
            await asyncio.sleep(seconds)
