"""kill -9 of one instance, again and again."""
import asyncio
import time

from .scene import PAUSE

NAME = "kill-app"
ABOUT = "kill -9 of a random instance, started again a second later, again and again"
SECONDS = 7
EJECTS = True


async def break_it(scene, seconds):
    end = time.monotonic() + seconds
    while True:
        app = scene.any_app()
        await scene.kill(app)
        await asyncio.sleep(min(1, seconds / 3))
        await scene.start(app)
        if time.monotonic() + PAUSE >= end:
            return
        await asyncio.sleep(PAUSE)
