"""Faults put into the soak on purpose, each of which its judge must find. They stand for the bugs that it looks for.

Each is a context for the time of the load, made of (stack, mix), and named by the figure that must not be 0 then.
"""
import contextlib
import threading
import time

from .mix import TARGET


@contextlib.contextmanager
def again_and_again(act, pause=0.2):
    """In a thread."""
    over = threading.Event()

    def work():
        while not over.wait(pause):
            with contextlib.suppress(Exception):  # the primary may be away
                act()
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def fail(stack, mix):
    """Redis says of new links that they lead elsewhere."""
    def forge():
        for code, *_ in mix.made[-20:]:
            stack.redis.command("SET", f"holdfast:link::{code}", "+https://forged.example/")
    return again_and_again(forge, 0.02)


def duplicate(stack, mix):
    """A row is made twice."""
    return again_and_again(lambda: stack.primary.sql(
        "INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at) SELECT '', 'twin-' || code, target, "
        f"target_sha256, created_at, updated_at FROM links WHERE target LIKE '{TARGET}/{mix.run}/%' AND code NOT LIKE 'twin-%' "
        "ORDER BY created_at DESC LIMIT 1 ON CONFLICT DO NOTHING"))


def lose(stack, mix):
    """A row that somebody was told of goes without a trace."""
    return again_and_again(lambda: stack.primary.sql(
        f"DELETE FROM links WHERE code IN (SELECT code FROM links WHERE target LIKE '{TARGET}/{mix.run}/%' "
        "ORDER BY created_at LIMIT 1)"))


@contextlib.contextmanager
def age(stack, mix):
    """Changes are not told, and Redis is without use: copies live until their time is over."""
    stack.primary.sql("ALTER TABLE links DISABLE TRIGGER links_changed")
    try:
        with again_and_again(lambda: stack.redis.command("FLUSHALL"), 0.05):
            yield
    finally:
        stack.primary.sql("ALTER TABLE links ENABLE TRIGGER links_changed")


@contextlib.contextmanager
def miscount(stack, mix):
    """A click too many in one book."""
    yield
    code, _ = mix.links[0]
    for _ in range(50):
        if stack.primary.sql(f"UPDATE link_visits SET total = total + 1 WHERE code = '{code}' RETURNING 1"):
            return
        time.sleep(0.1)


@contextlib.contextmanager
def all_of(names, stack, mix):
    """Several at once."""
    with contextlib.ExitStack() as spoiled:
        for name in names:
            spoiled.enter_context(SOAK[name](stack, mix))
        yield


SOAK = {"failed": fail, "duplicated": duplicate, "lost": lose, "stale": age, "miscounted": miscount}
