"""All instances die at once: there is nobody to ask, and requests wait."""
import asyncio

NAME = "kill-all-apps-restart"
ABOUT = "kill -9 of all instances at once; they start again 1 s later"
SECONDS = 1
EJECTS = True


async def break_it(scene, seconds):
    await scene.kill(*scene.apps)
    await asyncio.sleep(seconds)
    await scene.start(*scene.apps)
