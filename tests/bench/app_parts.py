"""What the benchmarks of the shortener share: links, an instance, load, CPU as the kernel counts it."""
import contextlib
import dataclasses
import os
import random
import re
import socket
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "ops"), os.path.join(ROOT, "tests")]

from stack import ports  # noqa: E402
from stack.process import descendants  # noqa: E402
from stack.programs import Shortener  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000}
TARGET = "https://example.com/where/it/leads/"


def code_of(number):
    return f"bench{number:012}"


# Lua for wrk: which link is asked for next.
HEAD = """
math.randomseed({seed})
local function ask(number) return wrk.format("GET", string.format("/bench%012d", number)) end
"""
ANY_CODE = HEAD + "request = function() return ask(math.random(1, {count})) end\n"
# Each number in the order of its popularity; half of all visits go to as many codes as the root of their number.
ZIPF = HEAD + "request = function() return ask(math.floor({count} ^ math.random())) end\n"
EACH_CODE = HEAD + """
local number = {first} - 1
request = function() number = number + 1 return ask(number) end
"""


def script(folder, text, **values):
    path = os.path.join(folder, f"codes-{abs(hash((text, *values.values())))}.lua")
    with open(path, "w") as out:
        out.write(text.format(**{"seed": 1, **values}))
    return path


def insert_links(stack, first, last):
    stack.primary.sql("INSERT INTO links (domain, code, target, target_sha256, created_at, updated_at) SELECT '', "
                      f"'bench' || lpad(n::text, 12, '0'), '{TARGET}' || n, sha256(n::text::bytea), now(), now() "
                      f"FROM generate_series({first}, {last}) AS n")


def fill_redis(port, first, last):
    """Links, as an instance would have left them there."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection, connection.makefile("rb") as answers:
        for begin in range(first, last + 1, 1000):
            numbers = range(begin, min(begin + 1000, last + 1))
            batch = b""
            for n in numbers:
                words = (b"SET", b"holdfast:link::bench%012d" % n, b"+%s%d" % (TARGET.encode(), n), b"EX", b"36000")
                batch += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
            connection.sendall(batch)
            for _ in numbers:
                if not answers.readline().startswith(b"+OK"):
                    sys.exit("redis does not take the links")


def instance(stack, folder, name, **env):
    """One of its own, with its settings as environment variables; started."""
    return Shortener(name, folder, ports.free_port(), {**stack.app_env(), **env}, user=stack.user,
                     binary=os.path.join(stack.data, "bin", "shortener"), clicks=stack.data).start()


def cpu_seconds(pid):
    """Of the process and its children: PostgreSQL works in some, nginx in one."""
    seconds = 0
    pids = [pid]
    while pids:
        one = pids.pop()
        try:
            with open(f"/proc/{one}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            with open(f"/proc/{one}/task/{one}/children") as children:
                pids += [int(child) for child in children.read().split()]
        except OSError:
            continue
        seconds += sum(int(field) for field in fields[11:15]) / TICKS  # with those of children that have ended
    return seconds


@contextlib.contextmanager
def precedence(pids, is_wanted=True, nice=-15):
    """Meanwhile these, their children and ours go before what else runs on the machine. As root alone."""
    over = threading.Event()

    def say(how):
        for pid in [os.getpid(), *pids, *(child for pid in pids for child in descendants(pid))]:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w") as out:
                out.write(str(how))

    def keep_saying():  # a server of PostgreSQL begins a group of its own for each client
        while not over.is_set():
            say(nice)
            over.wait(0.1)
    thread = threading.Thread(target=keep_saying)
    if is_wanted:
        thread.start()
    try:
        yield
    finally:
        if is_wanted:
            over.set()
            thread.join()
            say(0)


@dataclasses.dataclass
class Load:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self):
        return self.requests / self.seconds


def wrk(port, seconds, connections, path="/", lua=None):
    """Redirects, all of them, from so many connections that ask again when they were answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"] + (["-s", lua] if lua else [])
    out = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if bad or "Socket errors" in out:
        sys.exit(f"not all were answered as they should be:\n{out}")

    def quantile(share):
        number, unit = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\b", out).groups()
        return float(number) * MILLISECONDS[unit]
    return Load(int(re.search(r"(\d+) requests in", out).group(1)), seconds, quantile(50), quantile(99))


def steady(port, folder, rate, seconds, count, seed, clients=8):
    """So many redirects a second whatever becomes of them, of codes as ZIPF has them; latency counts from when each
    was due, so one that hangs costs all that stand behind it. Milliseconds, sorted, and how many were no redirect."""
    running = []
    for client in range(clients):
        dice = random.Random(f"{seed} {client}")
        uris, log = os.path.join(folder, f"uris-{client}"), os.path.join(folder, f"log-{client}")
        with open(uris, "w") as out:
            for _ in range(rate * seconds // clients):
                out.write(f"http://127.0.0.1:{port}/{code_of(max(1, int(count ** dice.random())))}\n")
        if os.path.exists(log):
            os.remove(log)
        running.append((log, subprocess.Popen(
            ["h2load", "--h1", "-c1", "-t1", f"--rps={rate / clients}", f"-n{rate * seconds // clients}", "-i", uris,
             f"--log-file={log}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))
    latencies, others = [], 0
    for log, process in running:
        if process.wait(seconds * 10) != 0:
            sys.exit("h2load failed")
        with open(log) as rows:
            answers = [tuple(map(int, row.split())) for row in rows]
        begun = min(start for start, _, _ in answers)
        for number, (start, status, took) in enumerate(sorted(answers)):
            latencies.append((start + took - begun - number * 1e6 * clients / rate) / 1000)
            others += status != 302
    return sorted(latencies), others


def sources(app):
    """Who answered how many of its look-ups."""
    names = ("cache", "redis", "replica", "primary", "stale", "none")
    counts = {name: int(app.metric("shortener_resolve_total", source=name)) for name in names}
    return {name: count for name, count in counts.items() if count}
