"""An instance dies every second and comes back at once."""
import asyncio
import time

NAME = "flap"
ABOUT = "kill -9 of a random instance each second for 30 s, each started again at once"
SECONDS = 30
EJECTS = False  # it is back before anybody has noticed, at times


async def break_it(scene, seconds):
    begun = time.monotonic()
    for number in range(1, max(1, round(seconds)) + 1):
        app = scene.any_app()
        await scene.kill(app)
        await scene.start(app)
        if number < round(seconds):
            await asyncio.sleep(max(0.2, begun + number - time.monotonic()))
