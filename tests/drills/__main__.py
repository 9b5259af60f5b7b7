"""ops/drill: runs a drill on the system of ops/up, or on a private one where that is not up."""
import argparse
import os
import sys
import tempfile

from stack.process import Failed
from stack.stack import Stack
from stack.up import RUN, build

from . import kill_app

DRILLS = {drill.NAME: drill for drill in (kill_app,)}


def main():
    parser = argparse.ArgumentParser(prog="ops/drill", description=__doc__)
    parser.add_argument("name", nargs="?", choices=DRILLS, help="the drill")
    parser.add_argument("--list", action="store_true", help="name the drills")
    parser.add_argument("--rate", type=int, default=300, help="requests a second (300)")
    parser.add_argument("--seconds", type=float, default=9, help="length of the load (9)")
    parser.add_argument("--runs", type=int, default=1, help="so many times in a row (1)")
    options = parser.parse_args()
    if options.list or options.name is None:
        for name, drill in DRILLS.items():
            print(f"{name:<12}{drill.ABOUT}")
        return 0 if options.list else 1
    drill = DRILLS[options.name]
    try:
        return on_running(drill, options)
    except Failed as failure:
        sys.exit(f"ops/drill: {failure}")


def on_running(drill, options):
    stack = Stack.load(RUN)
    if stack is not None and stack.is_up():
        return repeat(drill, stack, options, save=stack.save)
    print("nothing is up here: the drill starts a system of its own", flush=True)
    os.makedirs(RUN, exist_ok=True)
    build(lambda text: print(text, flush=True))
    with tempfile.TemporaryDirectory(prefix="holdfast-drill-") as folder:
        os.chmod(folder, 0o755)
        stack = Stack(folder, is_durable=False, say=lambda text: print(text, flush=True)).start()
        try:
            return repeat(drill, stack, options)
        finally:
            stack.stop()


def repeat(drill, stack, options, save=lambda: None):
    held = True
    for number in range(1, options.runs + 1):
        print(f"\n{drill.NAME}, run {number} of {options.runs}", flush=True)
        try:
            figures = drill.run(stack, options.rate, options.seconds, say=lambda text: print("  " + text, flush=True))
        finally:
            save()
        for name, value in figures.items():
            print(f"  {name:<18}{value}", flush=True)
        verdict = drill.is_held(figures)
        print("  " + ("held" if verdict else "DID NOT HOLD: " + drill.ABOUT), flush=True)
        held = held and verdict
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
