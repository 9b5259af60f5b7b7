"""ops/down: stops what ops/up started."""
import argparse
import os
import shutil
import sys

from .stack import Stack, original_of
from .up import RUN


def main():
    parser = argparse.ArgumentParser(prog="ops/down", description="Stops what ./ops/up started, and leaves its data.")
    parser.add_argument("--wipe", action="store_true", help="remove the data too: links, visits, logs")
    options = parser.parse_args()
    stack = Stack.load(RUN)
    ran = [process.name for process in stack.processes() if process.is_running()] if stack is not None else []
    if stack is not None:
        stack.stop()
    print("stopped " + ", ".join(ran) if ran else "nothing was running")
    if options.wipe:
        data = os.path.join(RUN, "data")
        if os.path.islink(data) and original_of(RUN) is None:
            shutil.rmtree(os.path.realpath(data), ignore_errors=True)
        shutil.rmtree(RUN, ignore_errors=True)
        print("the data is gone")
    elif stack is not None:
        print("the data is still there; ./ops/up goes on with it, ./ops/down --wipe removes it")


if __name__ == "__main__":
    sys.exit(main())
