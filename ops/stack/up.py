"""ops/up: everything, from nothing."""
import argparse
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from .process import Failed, tail
from .programs import ROOT
from .stack import Stack, measure, original_of

RUN = os.path.join(ROOT, ".run")


def main():
    parser = argparse.ArgumentParser(
        prog="ops/up", description="Installs what is missing, builds, and starts lb in front of two shorteners, their worker, a "
        "PostgreSQL primary and replica, and Redis, all private to this checkout (.run/). Ctrl-C stops it.")
    parser.add_argument("-d", "--detach", action="store_true", help="leave it running; ./ops/down stops it")
    parser.add_argument("--with-monitoring", action="store_true",
                        help="Prometheus and Alertmanager too; alarms are written to .run/log/alarms.jsonl")
    parser.add_argument("--no-build", action="store_true", help="use the programs that are built already")
    options = parser.parse_args()
    os.makedirs(RUN, exist_ok=True)
    lock = open(os.path.join(RUN, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        running = Stack.load(RUN)
        if running is not None and running.is_up():
            return already(running, "It is up already, in another terminal:", options)
        sys.exit("ops/up: another ops/up or ops/down is at work in this checkout")

    if (original := original_of(RUN)) is not None:
        print(f"This checkout is a copy. What came with it in .run/ belongs to {original}, and is now in .run/copied/.")
        set_aside(RUN)
    running = Stack.load(RUN)
    if running is not None and running.is_up():
        return already(running, "It is up already:", options)
    if running is not None:
        running.stop()  # what a crash has left

    begun = time.monotonic()

    def say(text):
        print(f"[{measure(begun)}] {text}", flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # cleans up like Ctrl-C
    stack = Stack(RUN, say=say, preferred_port=8080, with_monitoring=options.with_monitoring)
    try:
        if not options.no_build:
            build(say)
        stack.start()
        stack.save()
    except Failed as failure:
        sys.exit(f"\nops/up: it did not come up, and what had started was stopped again.\n{failure}")
    except KeyboardInterrupt:
        sys.exit("\nops/up: interrupted; what had started was stopped again")
    say("ready")
    say_up(stack, "")
    if options.detach:
        print("\n./ops/down stops it.")
        return 0
    print("\nCtrl-C stops it.", flush=True)
    return stay(stack)


def set_aside(folder):
    """Moves everything in `folder`, except the lock that this process holds, into `copied` inside it."""
    aside = tempfile.mkdtemp(dir=folder)
    for name in set(os.listdir(folder)) - {"lock", os.path.basename(aside)}:
        os.rename(os.path.join(folder, name), os.path.join(aside, name))
    os.rename(aside, os.path.join(folder, "copied"))


def already(running, first, options):
    say_up(running, first)
    if options.with_monitoring and not running.monitoring:
        sys.exit("\nops/up: it runs without monitoring; ./ops/down ends it, then ./ops/up --with-monitoring starts both")
    return 0


def build(say):
    say("building lb and shortener (minutes at first, seconds later)")
    log = os.path.join(RUN, "build.log")
    with open(log, "wb", buffering=0) as out:
        for command in ([os.path.join(ROOT, "ops/configure"), "release"],
                        ["cmake", "--build", "--preset", "release", "--target", "lb", "shortener"]):
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            progress = Progress(say)
            for line in process.stdout:
                out.write(line)
                progress.tell(line.decode(errors="replace").strip())
            progress.end()
            if process.wait() != 0:
                raise Failed(f"building failed; the end of {log}:\n{tail(log, 30)}")


class Progress:
    """How far a build is, from ninja's lines ("[12/185] Building ..."): on a terminal the line itself, else each tenth."""

    def __init__(self, say):
        self.say = say
        self.tenth = 0

    def tell(self, line):
        found = re.match(r"\[(\d+)/(\d+)\]", line)
        if found is None:
            return
        done, all_steps = int(found.group(1)), int(found.group(2))
        if sys.stdout.isatty():
            print("\r\033[K  " + line[:100], end="", flush=True)
        elif all_steps >= 20 and 10 * done // all_steps > self.tenth:
            self.tenth = 10 * done // all_steps
            self.say(f"built {done} of {all_steps} files")

    def end(self):
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)


def say_up(stack, first):
    url = f"http://127.0.0.1:{stack.lb.public}"
    if first:
        print(first)
    print("\n" + stack.table() + f"""

try:
  curl -i -H 'Content-Type: application/json' -d '{{"longUrl": "https://example.com/"}}' {url}/api/v1/links
  curl http://127.0.0.1:{stack.lb.admin}/upstreams
  tail -f {os.path.relpath(os.path.join(stack.logs, "access.log"))}
  ./ops/drill kill-app""", flush=True)
    if stack.monitoring:
        print(f"""  tail -f {os.path.relpath(stack.monitoring.alarms_file)}
  xdg-open {stack.monitoring.prometheus.where}/alerts""", flush=True)
    return 0


def stay(stack):
    """Until Ctrl-C; says so when a part ends."""
    ended = set()
    try:
        while True:
            time.sleep(0.5)
            now = Stack.load(RUN) or stack  # a drill may have started a part again
            for process in now.processes():
                if not process.is_running() and process.name not in ended:
                    ended.add(process.name)
                    print(f"{process.name} (pid {process.pid}) has ended; its log is {os.path.relpath(process.log)}",
                          flush=True)
                elif process.is_running() and process.name in ended:
                    ended.discard(process.name)
                    print(f"{process.name} runs again (pid {process.pid})", flush=True)
            if len(ended) == len(stack.processes()):
                return 0  # ops/down in another terminal
    except (KeyboardInterrupt, SystemExit):
        print("\nstopping", flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        (Stack.load(RUN) or stack).stop()
        return 0


if __name__ == "__main__":
    sys.exit(main())
