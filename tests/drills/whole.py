"""After a drill: every part runs, answers, and is known to; whatever has happened."""
from stack.process import Failed, wait_until


def make_whole(stack, front_lb=None):
    """`front_lb` is the lb that must have taken all instances back; None where another stands there."""
    for process in stack.processes():
        process.resume()
    for part in [stack.primary, stack.replica, stack.redis, stack.worker, *stack.apps]:
        if not part.process.is_running():
            part.start()
    replay(stack, "resume")
    stack.primary.sql("UPDATE click_control SET is_paused = false")
    for app in stack.apps:
        wait_until(lambda app=app: app.health()[1]["status"] == "pass", 30, f"{app.process.name} is not well")
    if front_lb:
        wait_until(lambda: set(front_lb.states().values()) == {"healthy"}, 15, "lb does not take all instances back")


def replay(stack, what):
    """`pause` or `resume`. A query on a replica may be cancelled for what is replayed, and one that has just been started
    has no primary yet."""
    def works():
        try:
            return stack.replica.sql(f"SELECT pg_wal_replay_{what}()") is not None
        except Failed:
            return False
    wait_until(works, 20, f"the replica does not {what} its replay")
