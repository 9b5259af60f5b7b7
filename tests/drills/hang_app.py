"""SIGSTOP of an instance: it keeps its connections, and answers nothing, until it goes on."""
import asyncio

NAME = "hang-app"
ABOUT = "SIGSTOP of a random instance; it goes on 3 s later"
SECONDS = 3
EJECTS = True


async def break_it(scene, seconds):
    app = scene.any_app()
    await scene.hang(app)
    await asyncio.sleep(seconds)
    await scene.go_on(app)
