"""The queue's drills: the worker dies, and clicks come that can never be stored. Redirects go on, and afterwards the books agree:
each redirect that was answered was counted, once.
"""
import asyncio
import collections
import os
import secrets
import subprocess

from stack.process import wait_until

from . import clicks
from .stores import Reported, killed

COUNTED = "Redirects go on; no click is lost or counted twice."


def judge_books(stack, entries):
    """In words, what is wrong once all clicks are stored."""
    def by_code(is_answered):
        return collections.Counter(one.wanted.code for one in entries if not one.wanted.is_post and (one.error is None) == is_answered)
    answered, failed = by_code(True), by_code(False)
    return clicks.settle(stack, list(answered | failed), answered, failed, dead_letters(stack))[1]


def dead_letters(stack):
    return clicks.waiting(stack.primary)[1]


async def poison(scene, seconds):
    """Records that can never be stored, between good ones; then somebody drops them."""
    stack = scene.stack
    bad = (clicks.entry([clicks.record(b"bad\xffcode")]), clicks.entry([clicks.record(b"nul\0code")]), b"rubbish " + secrets.token_bytes(8))
    there = await asyncio.to_thread(dead_letters, stack)

    def add():
        for each in bad:
            stack.redis.add("holdfast:clicks", "d", each)

    def drop():
        wait_until(lambda: dead_letters(stack) >= there + len(bad), 30, "no dead letters")
        drop_dead_letters(stack)
    await scene.hurt(stack.redis, "add clicks that cannot be stored to", add)
    await asyncio.sleep(seconds)
    await scene.mend(stack.redis, "drop the dead letters that came by", drop)


def drop_dead_letters(stack):
    subprocess.run([os.path.join(stack.data, "bin", "shortener"), "dlq", "drop", "--all", "--yes"], check=True, capture_output=True,
                   cwd="/", env={**os.environ, **stack.app_env()})


ALL = (
    Reported("kill-worker", "kill -9 of the worker, the only one, started again later", COUNTED, "WorkerDown",
             "kill -9 the worker", killed("worker"), BROKEN=60, JUDGE=judge_books),
    Reported("poison-clicks", "clicks come that can never be stored, and are dropped later", COUNTED, "DeadLetters",
             "XADD holdfast:clicks, rubbish", poison, BROKEN=40, JUDGE=judge_books),
)
