"""The stores' drills: Redis, replica and primary are killed, hung, emptied, held back; what was promised must hold.

The promises are those of docs/stores.md: nothing fails, but for writes while there is no primary, which are answered 503
with Retry-After; and each fault is told by its alarm within a minute.
"""
import asyncio
import dataclasses
import shutil
from collections.abc import Callable

from .mix import RETRY_AFTER
from .whole import replay

RECONNECTED = 5.0  # seconds after the primary's return, at the latest
UNSENT = 1.0  # seconds within which a replica that is well has what was written, at the latest


@dataclasses.dataclass
class Reported:
    """A drill that a report can be made of."""
    NAME: str
    ABOUT: str
    PROMISE: str  # what clients see, in words
    ALARM: str | None  # what must be told; None: nothing in particular
    command: str  # the fault, as one would do it by hand
    break_it: Callable  # (scene, seconds)
    is_promised: Callable = lambda entry, outages: False
    JUDGE: Callable | None = None  # (stack, entries): what else is wrong afterwards, in words
    IS_QUIET: bool = False  # no alarm may come
    IS_OF_INSTANCES: bool = False
    BROKEN: float = 60  # seconds, in a report
    SECONDS: float = 5
    EJECTS: bool = False
    FRESH: float = 0.5
    LINKS: int = 50


def broken(part, what, hurt, back, mend):
    """A break_it: `part` names the store; hurt and mend are what is done to it, or to the stack."""
    async def break_it(scene, seconds):
        store = getattr(scene.stack, part)
        await scene.hurt(store, what, lambda: hurt(store, scene.stack))
        await asyncio.sleep(seconds)
        await scene.mend(store, back, lambda: mend(store, scene.stack))
    return break_it


def killed(part):
    return broken(part, "kill", lambda store, _: store.kill(), "start", lambda store, _: store.start())


def is_put_off(entry, outage):
    """503 with Retry-After, from the primary's end until it is back."""
    return entry.status == 503 and entry.error.endswith(RETRY_AFTER) and \
        entry.done >= outage.out.at and entry.due <= outage.back.at + RECONNECTED


def is_a_write_put_off(entry, outages):
    return entry.wanted.is_post and any(is_put_off(entry, one) for one in outages)


def is_the_primarys_alone(entry, outages):
    """A write, or a link that perhaps only the primary has: made so shortly before its end, since replication is asynchronous,
    or when it was just back and not found again by all (docs/stores.md)."""
    made = None if entry.wanted.is_post else entry.wanted.made
    return is_a_write_put_off(entry, outages) or made is not None and any(
        is_put_off(entry, one) and one.out.at - UNSENT <= made for one in outages)


async def fail_over(scene, seconds):
    """The primary dies for good, the replica is promoted, and a new replica is made of it."""
    stack = scene.stack
    old, new = stack.primary, stack.replica
    await asyncio.to_thread(confirm_by, old, "replica")
    await scene.hurt(old, "kill", old.kill)
    await asyncio.sleep(seconds)
    await scene.mend(old, "promote the replica in place of", lambda: new.sql("SELECT pg_promote()"))
    stack.primary, stack.replica = new, old
    await asyncio.sleep(RECONNECTED)
    await asyncio.to_thread(rebuild, old, new)


def confirm_by(primary, names):
    """A write is acknowledged when these have it too."""
    primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    primary.sql("SELECT pg_reload_conf()")


def rebuild(old, primary):
    """What was a primary becomes a replica of this one. Whatever it alone had is gone."""
    shutil.rmtree(old.data)
    old.create_from(primary)
    old.start()


NOBODY_NOTICES = "Nothing fails; some answers take longer."
ALL = (
    Reported("kill-redis", "kill -9 of Redis, started again later", NOBODY_NOTICES, "RedisDown", "kill -9 $(pidof redis-server)",
             killed("redis")),
    Reported("hang-redis", "SIGSTOP of Redis; it goes on later", NOBODY_NOTICES, "RedisDown", "kill -STOP $(pidof redis-server)",
             broken("redis", "hang", lambda store, _: store.pause(), "go on", lambda store, _: store.resume())),
    Reported("flush-redis", "FLUSHALL, with thousands of links in use: the cache is cold", NOBODY_NOTICES, "CacheCold",
             "redis-cli FLUSHALL",
             broken("redis", "empty", lambda store, _: store.command("FLUSHALL"), "leave", lambda *_: None),
             FRESH=0.05, LINKS=10000),
    Reported("pause-replica", "the replica stands still (pg_wal_replay_pause), and goes on later",
             NOBODY_NOTICES + " A link that was just made is found at once.", "ReplicaLag", "SELECT pg_wal_replay_pause()",
             broken("replica", "pause the replay of", lambda _, stack: replay(stack, "pause"), "resume the replay of",
                    lambda _, stack: replay(stack, "resume"))),
    Reported("kill-replica", "kill -9 of the replica, started again later",
             NOBODY_NOTICES, "ReplicaDown", "kill -9 the replica's postmaster and its children", killed("replica")),
    Reported("kill-primary", "kill -9 of the primary, started again later",
             "Links can be followed, but for one that was made in the last moment, or the first, and has not come to the replica. It "
             "and writes are answered 503 with Retry-After; nothing is lost or made twice.", "PrimaryDown",
             "kill -9 the primary's postmaster and its children", killed("primary"), is_the_primarys_alone),
)
# On a system whose programs know both servers (Stack.fails_over), and that is nobody else's: roles are changed afterwards.
FAIL_OVER = Reported(
    "fail-over", "kill -9 of the primary for good; the replica is promoted, nothing else is started again",
    "Links can be followed. Writes are answered 503 with Retry-After until the replica is promoted, and go on by themselves "
    "within 5 s of it. With synchronous_standby_names set none that was acknowledged is lost.", "PrimaryDown",
    "kill -9 the primary's postmaster and its children", fail_over, is_a_write_put_off)
