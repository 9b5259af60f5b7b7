"""One factor for every upper time limit of the tests, so that a slow or busy machine does not fail them.

HOLDFAST_TEST_PATIENCE sets it. Without it, the test run measures it once (tests/conftest.py); scripts such as ops/up use 1.
It applies only to the longest time that something may take. It never applies to the shortest one, nor to a duration that is
itself under test.
"""
import os
import socket
import subprocess
import threading
import time

NAME = "HOLDFAST_TEST_PATIENCE"
IDLE_SECONDS = 0.15  # what the work below takes on an idle machine
MOST = 20  # a limit is still to fail within minutes
SANITIZERS = {"libasan": 3, "libtsan": 6}  # how much slower a program is


def factor():
    return float(os.environ.get(NAME, "1"))


def patient(seconds):
    """Returns an upper limit for something that takes at most `seconds` on an idle machine."""
    return seconds * factor()


def patient_ms(seconds):
    """Returns the same limit as a duration in a configuration file."""
    return f"{round(patient(seconds) * 1000)}ms"


def measure(program, jobs, cores):
    """Returns the factor for tests of `program` of which `jobs` run at a time."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    sanitizer = max([slower for name, slower in SANITIZERS.items() if name in linked], default=1)
    return min(MOST, round(max(1, _work() / IDLE_SECONDS) * max(1, jobs / cores / 2) * sanitizer, 1))


def _work():
    """Returns the seconds that starting processes and round trips between threads take now."""
    begun = time.monotonic()
    for _ in range(60):
        subprocess.run(["true"])
    near, far = socket.socketpair()

    def echo():
        while data := far.recv(1):
            far.sendall(data)
    echoing = threading.Thread(target=echo)
    with far:
        echoing.start()
        with near:
            for _ in range(3000):
                near.sendall(b"x")
                near.recv(1)
        echoing.join()
    return time.monotonic() - begun
