"""ops/drill: runs a drill on the system of ops/up, or on a private one where that is not up."""
import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tempfile

from stack.process import Failed
from stack.stack import Stack, patient_timeouts
from stack.up import RUN, build

from bench.app_parts import precedence

from . import ALL, REPORTED, capacity, capacity_report, chaos, checker, clicks, compare, drill, soak_command, stores


def main():
    parser = argparse.ArgumentParser(
        prog="ops/drill", description=__doc__,
        epilog="Exit code 1 where a client noticed anything, a link was made twice or lost, or the accounts disagree.")
    parser.add_argument("name", nargs="*", metavar="NAME", help="a drill; `all` is every one; `compare` runs all of them "
                        "through lb, and some through HAProxy, nginx and Caddy; `checker` judges a random history "
                        "of links by what was possible, while everything breaks; `clicks` breaks all that is on a click's way, and "
                        "then compares the books; `soak` does all of it at random, for as long as is wished; `capacity` finds the "
                        "highest rate within the objectives, with and without caches")
    parser.add_argument("--list", action="store_true", help="name the drills")
    parser.add_argument("--rate", type=float, default=drill.Options.rate, help="requests a second (%(default)s)")
    parser.add_argument("--burst", type=int, default=drill.Options.burst, help="of them at a time (%(default)s)")
    parser.add_argument("--posts", type=float, default=drill.Options.posts, help="their share (%(default)s)")
    parser.add_argument("--seconds", type=float, help="how long it is broken (each drill has its own)")
    parser.add_argument("--runs", type=int, default=1, help="so many times in a row (%(default)s)")
    parser.add_argument("--seed", type=int, help="of the dice: which instance, when, which requests")
    parser.add_argument("--sabotage", choices=[*checker.SABOTAGE, *soak_command.SABOTAGE],
                        help="checker, soak: a fault put in on purpose, that it must find")
    parser.add_argument("--json", metavar="FILE", help="append each run's figures to it, a line of JSON each")
    parser.add_argument("--peer-runs", type=int, default=1, help="compare: runs through each of the others (%(default)s)")
    parser.add_argument("--links", type=int, help="how many there are before the load (each drill has its own number)")
    parser.add_argument("--precedence", action="store_true", help="with --report: system and clients go before all else on this "
                        "machine; as root alone")
    parser.add_argument("--report", action="store_true", help="with Prometheus and Alertmanager beside it: its alarm must come, or "
                        "none; writes docs/ops/chaos-NAME.md")
    parser.add_argument("--write", metavar="FILE", help="no drill: make the tables of docs/zero-drop.md of the figures that "
                        "compare has left in FILE by --json")
    soak_command.add_options(parser)
    capacity.add_options(parser)
    options = parser.parse_args()
    if options.write:
        compare.write_document(options.write)
        return 0
    if options.list or not options.name:
        for name, one in {**REPORTED, **ALL}.items():
            print(f"{name:<23}{one.ABOUT}")
        print(f"{capacity.NAME:<23}{capacity.ABOUT}")
        print(f"{clicks.NAME:<23}all that is on a click's way broken, and then the books compared")
        print(f"{soak_command.NAME:<23}{soak_command.ABOUT}")
        return 0 if options.list else 1
    if options.name == ["compare"]:
        return compared(options)
    if options.name == ["checker"]:
        return checked(options)
    if options.name == [capacity.NAME]:
        return measured(options)
    if options.name == ["clicks"]:
        return counted(options)
    if options.name == [soak_command.NAME]:
        return soak_command.run(options, private_system, say)
    if options.name == [stores.FAIL_OVER.NAME] and not options.report:
        return failed_over(options)
    names = list(REPORTED if options.report else ALL) if options.name == ["all"] else options.name
    if not options.report and (unknown := set(names) - set(ALL)):
        parser.error(f"no drill {', '.join(unknown)}: ops/drill --list names them")
    try:
        if options.report:
            return reported(names, options, parser)
        with system() as (stack, save):
            return repeat([ALL[name] for name in names], stack, options, save)
    except Failed as failure:
        sys.exit(f"ops/drill: {failure}")


def compared(options):
    """On a system of its own: it is much broken."""
    with private_system() as stack, open(options.json or os.devnull, "w") as out:
        return 0 if compare.run(stack, wanted(options), options.runs, options.peer_runs, out, say) else 1


def checked(options):
    """On a system of its own, for a minute where --seconds says nothing else."""
    held = True
    with private_system() as stack:
        for _ in range(options.runs):
            figures = checker.run(stack, options.seconds or 60, sabotage=options.sabotage, seed=options.seed, say=say,
                                  kinds=() if options.sabotage else tuple(checker.BREAK))
            checker.show(figures, say)
            held = held and figures["held"]
            if options.json:
                with open(options.json, "a") as out:
                    out.write(json.dumps(figures) + "\n")
    return 0 if held else 1


def counted(options):
    """On a system of its own, whose clicks are nobody else's."""
    with private_system(clicks.QUICK) as stack:
        chosen = clicks.Options(rate=options.rate, burst=options.burst, seed=options.seed)
        if options.seconds:
            chosen.primary_away = options.seconds
        return 0 if clicks.repeat(stack, chosen, options.runs, options.json, say) else 1


def measured(options):
    """On a system of its own, durable and with production's time-outs."""
    with private_system(is_durable=True, is_patient=False) as stack:
        chosen = capacity.chosen(options)
        capacity.prepare(stack, chosen.links)
        figures = capacity.run(stack, chosen, say)
    capacity_report.show(figures, say)
    if options.json:
        with open(options.json, "a") as out:
            out.write(json.dumps(figures) + "\n")
    if not options.no_cache:
        say("  " + os.path.relpath(capacity_report.write(figures)))
    return 0 if figures["held"] else 1


def failed_over(options):
    """On systems of their own, whose roles change."""
    held = True
    for _ in range(options.runs):
        with private_system(fails_over=True) as stack:
            held = repeat([stores.FAIL_OVER], stack, options, lambda: None, runs=1) == 0 and held
    return 0 if held else 1


def reported(names, options, parser):
    """Each on a system of its own, durable and with production's time-outs: what is measured is to be published."""
    if unknown := set(names) - set(REPORTED):
        parser.error(f"--report is for {', '.join(REPORTED)}; not {', '.join(unknown)}")
    held = True
    for one in (REPORTED[name] for name in names):
        with private_system(is_durable=True, is_patient=False, with_monitoring=True, fails_over=True) as stack:
            say(f"\n{one.NAME}: {one.ABOUT}")
            chosen = dataclasses.replace(wanted(options), lead=chaos.LEAD, seconds=options.seconds or one.BROKEN)
            with precedence([os.getpid()], options.precedence):
                figures, course, samples = chaos.run(one, stack, chosen, say=lambda text: say("  " + text))
            show(figures)
            for alarm in figures["alarms"]:
                say(f"  alarm {alarm['alert']} came after {alarm['fired_s']} s: {alarm['summary']}")
            say("  " + os.path.relpath(chaos.write(one, figures, course, samples)))
            held = held and figures["held"]
    return 0 if held else 1


def wanted(options):
    return drill.Options(options.rate, options.burst, options.posts, seconds=options.seconds, seed=options.seed,
                         links=options.links)


def say(text):
    print(text, flush=True)


@contextlib.contextmanager
def system():
    """The system, and what to call when a part of it was started again."""
    stack = Stack.load(RUN)
    if stack is not None and stack.is_up():
        yield stack, stack.save
        return
    say("nothing is up here: the drill starts a system of its own")
    with private_system() as stack:
        yield stack, lambda: None


@contextlib.contextmanager
def private_system(env=None, is_patient=True, **kind):
    """`kind` is what else a Stack is told."""
    os.makedirs(RUN, exist_ok=True)
    if "HOLDFAST_BIN" not in os.environ:  # which names programs that are built already
        build(say)
    with tempfile.TemporaryDirectory(prefix="holdfast-drill-") as folder:
        os.chmod(folder, 0o755)
        stack = Stack(folder, say=say, env={**(patient_timeouts() if is_patient else {}), **(env or {})}, **{"is_durable": False, **kind}).start()
        try:
            yield stack
        finally:
            stack.stop()


def repeat(drills, stack, options, save, runs=None):
    held = True
    runs = runs or options.runs
    for one in drills:
        for number in range(1, runs + 1):
            say(f"\n{one.NAME}, run {number} of {runs}: {one.ABOUT}")
            try:
                figures = drill.run(one, stack, wanted(options), say=lambda text: say("  " + text))
            finally:
                save()
            show(figures)
            held = held and figures["held"]
            if options.json:
                with open(options.json, "a") as out:
                    out.write(json.dumps(figures) + "\n")
    return 0 if held else 1


def show(figures):
    plain = ("requests", "posts", "failed", "refused", "duplicated", "lost", "retried", "saved", "under_way", "eject_ms", "back_ms",
             "slowest_ms")
    for name in plain:
        if name in figures:
            say(f"  {name.replace('_', ' '):<12}{figures[name]}")
    for phase in ("before", "during", "after"):
        part = figures[phase]
        say(f"  {phase:<12}p50 {part['p50_ms']} ms, p95 {part['p95_ms']} ms, p99 {part['p99_ms']} ms, slowest "
            f"{part['slowest_ms']} ms ({part['requests']} requests)")
    for error, count in figures["errors"].items():
        say(f"  {count} × {error}")
    say("  held" if figures["held"] else "  DID NOT HOLD: " + "; ".join(figures["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
