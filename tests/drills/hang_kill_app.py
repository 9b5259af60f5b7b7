"""SIGSTOP of an instance, and kill -9 while it hangs."""
import asyncio

NAME = "hang-kill-app"
ABOUT = "SIGSTOP of a random instance, kill -9 of it 2 s later, then its start"
SECONDS = 2
EJECTS = True


async def break_it(scene, seconds):
    app = scene.any_app()
    await scene.hang(app)
    await asyncio.sleep(seconds)
    await scene.kill(app)
    await asyncio.sleep(seconds / 4)
    await scene.start(app)
