"""lb and shortener as processes."""
import copy
import json
import os
import re
import signal
import urllib.error
import urllib.request

from .patience import patient
from .process import Failed, Process, start_time, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def path_of(name):
    """Where the program is built; HOLDFAST_BIN names another folder than the release's."""
    return os.path.join(os.environ.get("HOLDFAST_BIN", os.path.join(ROOT, "build/release/bin")), name)


def built(name):
    """The path of the program, which must have been built."""
    path = path_of(name)
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is missing: build it with ./ops/test --build-only")
    return path


def sum_of_samples(text, name, labels):
    """Of metrics, as they are exposed: those of this name that have these labels."""
    total = 0.0
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found is None or found.group(1) != name:
            continue
        has = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or ""))
        if all(has.get(label) == value for label, value in labels.items()):
            total += float(found.group(3))
    return total


def with_files_of_its_own(files):
    """A command that begins another one with these files (None: not) in the place of the system's, for that process alone.
    They may be rewritten in place meanwhile."""
    mounts = [f"mount --bind '{mine}' {its}" for its, mine in files.items() if mine]
    return ["unshare", "--mount", "sh", "-c", " && ".join(mounts + ['exec "$@"']), "sh"] if mounts else []


class Lb:
    """lb with a configuration of one's own; `text` is YAML. Port 0 in it takes a free one: see public and admin."""

    def __init__(self, text, folder, logs=None, name="lb", user=None, binary=None, files=None, hosts=None,
                 resolv_conf=None):
        self.config = os.path.join(folder, name + ".yaml")
        with open(self.config, "w") as out:
            out.write(text)
        fewer = ["prlimit", f"--nofile={files}:{files}"] if files else []  # descriptors that it may have
        named = with_files_of_its_own({"/etc/hosts": hosts, "/etc/resolv.conf": resolv_conf})
        self.process = Process(name, named + fewer + [binary or built("lb"), "run", "--config", self.config],
                               os.path.join(logs or folder, name + ".log"), user=user)
        self.public = self.admin = None

    def start(self):
        self.process.start()
        self.process.wait_for_log(r"info ready\b")
        self.public = self._port("public")
        self.admin = self._port("admin")
        self.process.where = f"127.0.0.1:{self.public}"
        return self

    def _port(self, name):
        return int(re.search(rf"listening name={name} address=\S*:(\d+)", self.process.log_text()).group(1))

    def get_admin(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=patient(5)) as answer:
            return answer.read().decode()

    def upstreams(self):
        """The servers of all pools, by name."""
        pools = json.loads(self.get_admin("/upstreams"))["pools"]
        return {server["name"]: server for pool in pools for server in pool["upstreams"]}

    def states(self):
        return {name: server["state"] for name, server in self.upstreams().items()}

    def metric(self, name, **labels):
        return sum_of_samples(self.get_admin("/metrics"), name, labels)

    def ledgers(self):
        """What those before this process counted in all, as they said at their ends since start(), oldest first."""
        lines = re.findall(r'info ledger pool=all what="(\d+) requests, (\d+) cut, (\d+) local errors, (\d+) saved by retry" (.*)',
                           self.process.log_text())
        names = ("requests", "cut", "local_error", "saved_by_retry")
        return [{**dict(zip(names, map(int, line[:4]))), **{name: int(value) for name, value in re.findall(r"(\w+)=(-?\d+)", line[4])}}
                for line in lines]

    def upgrade(self):
        """The binary that is there by now takes over (SIGUSR2); returns the process that drains, once the new one serves."""
        old = copy.copy(self.process)
        begun = r"info upgraded pid=(\d+)"
        before = len(re.findall(begun, old.log_text()))
        old.send_signal(signal.SIGUSR2)
        wait_until(lambda: len(re.findall(begun, old.log_text())) > before, 30, f"{old.name} is not upgraded; see {old.log}")
        new = int(re.findall(begun, old.log_text())[-1])
        self.process.pid, self.process.began, self.process.popen = new, start_time(new), None
        return old

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.kill()


class Program:
    """A process of the shortener's: `process`, with its metrics at `port`."""

    def start(self):
        self.process.start()
        self.process.wait_for_log(r'info ready\b|"event":"ready"')
        return self

    def metric(self, name, **labels):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=patient(5)) as answer:
            return sum_of_samples(answer.read().decode(), name, labels)

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.kill()


class Shortener(Program):
    """One instance."""

    def __init__(self, name, folder, port, env, user=None, binary=None, config=None, clicks=None):
        """Its journal of clicks is in `clicks`, else in `folder`, where its log is."""
        self.port = port
        command = [binary or built("shortener"), "serve"] + (["--config", config] if config else [])
        self.process = Process(name, command, os.path.join(folder, name + ".log"),
                               env={"CLICKS_FOLDER": os.path.join(clicks or folder, name + ".clicks"), **env,
                                    "LISTEN": f"127.0.0.1:{port}"}, user=user, where=f"127.0.0.1:{port}")

    def health(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=patient(5)) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


class Worker(Program):
    """A process that stores clicks; its metrics are at `port`."""

    def __init__(self, name, folder, port, env, user=None, binary=None):
        self.port = port
        self.process = Process(name, [binary or built("shortener"), "worker"], os.path.join(folder, name + ".log"),
                               env={**env, "WORKER_LISTEN": f"127.0.0.1:{port}"}, user=user, where=f"127.0.0.1:{port}")
