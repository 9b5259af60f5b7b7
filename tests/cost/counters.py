"""What requests cost a running process: instructions and allocations by callgrind, system calls by strace.

A counter has the words that a program is started with, and measure(process, exchanges), which sends the exchanges.
"""
import collections
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from stack.process import Failed

# Makes the C library choose the same string functions on every processor. Valgrind shows programs one processor on all
# hosts that have AVX2, and another one on those without.
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM"}
ALLOCATORS = {"malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign"}  # operator new calls malloc
# What shortener does by the clock are queries and pings, and a redirect from the cache asks PostgreSQL nothing. So the
# instructions in this library tell how much of that work fell into a measurement.
UPKEEP = "libpq.so"
CLOCKS = {"clock_gettime", "gettimeofday", "time"}  # system calls on some machines only


def check_tools():
    """Failed, with what to do, if the counters cannot work here."""
    for tool in ("valgrind", "vgdb", "strace"):
        if shutil.which(tool) is None:
            raise Failed(f"{tool} is missing: install it with ./ops/install ci")
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["strace", "-o", out.name, "true"], capture_output=True, text=True)
        if done.returncode != 0 or "exit_group" not in out.read().decode():
            raise Failed("strace may not trace a process here, so system calls cannot be counted. Permit ptrace; in a container "
                         f"that is --cap-add SYS_PTRACE. strace says:\n    {done.stderr.strip()}")


def fixed(process, counter):
    """Makes the process run under the counter, in an environment that is the same everywhere."""
    variables = {**ENVIRONMENT, **process.env}
    process.arguments = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *counter.command,
                         *process.arguments]
    return process


class Callgrind:
    """Counts instructions and calls of the allocator, less what the program does by the clock meanwhile."""

    REQUESTS = 600
    IDLE_SECONDS = 1

    def __init__(self, folder):
        self.folder = folder
        self.out = os.path.join(folder, "callgrind")
        self.pipe = f"--vgdb-prefix={folder}/vgdb"
        self.command = ["valgrind", "--tool=callgrind", "-q", self.pipe, f"--callgrind-out-file={self.out}", "--compress-strings=no"]
        self.dumps = 0

    def measure(self, process, exchanges):
        """The figures of each exchange, per request."""
        idle, idle_seconds = self._idle(process)
        figures = {}
        for name, exchange in exchanges.items():
            counts, seconds = self._during(process, lambda: exchange.run(self.REQUESTS))
            upkeep = counts["upkeep"] / idle["upkeep"] if idle["upkeep"] else seconds / idle_seconds
            figures[name] = {figure: (counts[figure] - idle[figure] * upkeep) / self.REQUESTS
                             for figure in ("instructions", "allocations")}
        return figures

    def _idle(self, process):
        """An idle second whose work is like that of the one before: by then all connections of the start are open."""
        before = None
        for _ in range(20):
            idle, seconds = self._during(process, lambda: time.sleep(self.IDLE_SECONDS))
            share = idle["instructions"] / idle["upkeep"] if idle["upkeep"] else 0
            if before is not None and abs(share - before) <= before / 10:
                return idle, seconds
            before = share
        raise Failed(f"{process.name} does not come to rest; see {process.log}")

    def _during(self, process, act):
        self._dump(process)
        begun = time.monotonic()
        act()
        return self._dump(process), time.monotonic() - begun

    def _dump(self, process):
        """The counts since the last dump."""
        done = subprocess.run(["vgdb", self.pipe, f"--pid={process.pid}", "dump"], capture_output=True, text=True, timeout=60)
        self.dumps += 1
        dump = f"{self.out}.{self.dumps}"
        if not os.path.exists(dump):
            process.must_run()
            raise Failed(f"callgrind gives no counts of {process.name}; vgdb says:\n    {done.stderr.strip()}")
        with open(dump, errors="replace") as lines:
            counts = counts_of_profile(lines)
        os.remove(dump)
        if self.dumps == 1 and counts["allocations"] == 0:  # every program allocates when it starts
            raise Failed(f"{process.name}: the profile has no call of malloc, so allocations cannot be counted")
        return counts


def counts_of_profile(lines):
    """Reads a profile: lines of an object (ob=) and of its functions' own cost; after each calls= comes the callee's cost."""
    counts = collections.Counter(instructions=0, allocations=0, upkeep=0)
    library = called = ""
    is_callee = False
    for line in lines:
        if line.startswith("ob="):
            library = os.path.basename(line[3:])
        elif line.startswith("cfn="):
            called = line[4:].strip()
        elif line.startswith("calls="):
            is_callee = True
            if called in ALLOCATORS:
                counts["allocations"] += int(line[6:].split()[0])
        elif line.startswith("summary:"):
            counts["instructions"] = int(line.split()[1])
        elif line[:1] in "0123456789+-*":
            if library.startswith(UPKEEP) and not is_callee:
                counts["upkeep"] += int(line.split()[1])
            is_callee = False
    return counts


class Strace:
    """Counts system calls by name, as the median of many small batches of requests: in most of them the program does nothing
    by the clock. Calls that fewer than one request in ten makes are not seen."""

    BATCHES = 61
    REQUESTS = 5  # in each

    def __init__(self, folder):
        self.folder = folder
        self.out = os.path.join(folder, "strace")
        # -D: the program is our child, and strace its grandchild; signals reach the program.
        self.command = ["strace", "-D", "-f", "-s0", "-o", self.out]
        self.read = 0

    def measure(self, process, exchanges):
        """The figures of each exchange, per request."""
        return {name: self._median(process, exchange) for name, exchange in exchanges.items()}

    def _median(self, process, exchange):
        self._new_calls(process)
        batches = []
        for _ in range(self.BATCHES):
            exchange.run(self.REQUESTS)
            batches.append(self._new_calls(process))
        return {call: statistics.median(batch[call] for batch in batches) / self.REQUESTS
                for call in sorted(set().union(*batches))}

    def _new_calls(self, process):
        process.must_run()
        with open(self.out, errors="replace") as trace:
            trace.seek(self.read)
            text = trace.read()
        text = text[:text.rfind("\n") + 1]
        if self.read == 0 and not text:
            raise Failed(f"strace gives no system calls of {process.name}; see {process.log}")
        self.read += len(text.encode())
        return calls_of_trace(text)


def calls_of_trace(text):
    """Returns how often each call begins; a line that resumes one is not counted."""
    calls = re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE)
    return collections.Counter(call for call in calls if call not in CLOCKS)
