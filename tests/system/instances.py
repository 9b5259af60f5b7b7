"""Instances of the shortener of one's own beside the shared stack, with settings that the others do not have."""
import contextlib
import os
import subprocess

from stack import ports
from stack.programs import Shortener, built


@contextlib.contextmanager
def instances(stack, folder, count=1, **env):
    """So many of them, which end with the block; their settings are environment variables."""
    started = []
    try:
        for i in range(count):
            one = Shortener(f"own{i}", str(folder), ports.free_port(), {**stack.app_env(), **env})
            started.append(one)
            one.start()
        yield started
    finally:
        for one in started:
            one.stop()


def shortener(stack, *words, **env):
    """Runs a command of it; what it printed on stdout and stderr, and how it ended."""
    done = subprocess.run([built("shortener"), *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **stack.app_env(), **env})
    return done.stdout, done.stderr, done.returncode
