"""A server process: started in a session of its own, known by pid and start time, ended by pid and nothing else."""
import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import time

from .patience import patient

USER = "holdfast"


class Failed(Exception):
    """A step failed. Its text says which, why, and shows the end of the log."""


def tail(path, lines=15):
    try:
        with open(path, errors="replace") as log:
            return "".join("    " + line for line in log.readlines()[-lines:])
    except OSError:
        return ""


def wait_until(condition, seconds, what):
    """Waits until condition() is true and returns its value; Failed after `seconds`, or longer on a busy machine (patience.py)."""
    seconds = patient(seconds)
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


def start_time(pid):
    """When the process began, in ticks since boot; None where there is none (or only its zombie)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def descendants(pid):
    children = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as listed:
                for child in listed.read().split():
                    children += [int(child)] + descendants(int(child))
    except OSError:
        pass
    return children


def unprivileged_user():
    """Whom servers run as: nobody else where we are no root, else the system user `holdfast`, made if missing."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        # Fails harmlessly if another process makes it at the same time.
        added = subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER],
                               capture_output=True, text=True)
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        raise Failed(f"cannot add the system user {USER}: {added.stderr.strip()}") from None


def as_user(user):
    """Arguments for subprocess that make it run as `user`."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def own(path, user):
    if user is not None:
        shutil.chown(path, user.pw_uid, user.pw_gid)


class Process:
    """One server. `arguments` are kept, so that it can be started again as it was."""

    def __init__(self, name, arguments, log, env=None, user=None, where=""):
        self.name = name
        self.arguments = arguments
        self.log = log
        self.env = env or {}
        self.user = user
        self.where = where  # for people: an address
        self.pid = None
        self.began = None
        self.popen = None
        self.log_from = 0

    def start(self):
        with open(self.log, "ab") as log:
            self.log_from = log.tell()
            self.popen = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                          env={**os.environ, "LC_ALL": "C.UTF-8", **self.env}, start_new_session=True,
                                          **as_user(self.user))
        self.pid = self.popen.pid
        self.began = start_time(self.pid)
        return self

    def is_running(self):
        if self.pid is None:
            return False
        if self.popen is not None:
            self.popen.poll()  # so that it does not stay a zombie
        return self.began is not None and start_time(self.pid) == self.began

    def log_text(self):
        """What it has logged since it was last started."""
        try:
            with open(self.log, errors="replace") as log:
                log.seek(self.log_from)
                return log.read()
        except OSError:
            return ""

    def wait_for_log(self, pattern, seconds=20):
        """Waits for a line that matches; returns the match. Failed, with the log's end, where it ends before."""
        def found():
            match = re.search(pattern, self.log_text())
            if match is None:
                self.must_run()
            return match
        return wait_until(found, seconds, f"{self.name}: no line with {pattern!r}; see {self.log}")

    def must_run(self):
        """Failed, with the log's end, where it does not run."""
        if not self.is_running():
            raise Failed(f"{self.name} ended (exit code {self.exit_code()}); the end of {self.log}:\n{tail(self.log)}")

    def exit_code(self):
        return None if self.popen is None else self.popen.poll()

    def send_signal(self, number):
        if self.is_running():
            os.kill(self.pid, number)

    def wait(self, seconds=10):
        """Waits for its end and returns the exit code, where it is our child."""
        wait_until(lambda: not self.is_running(), seconds, f"{self.name} does not end")
        # A process whose first thread has ended is a zombie to the eye, and not yet one to wait() while others end.
        return None if self.popen is None else self.popen.wait(patient(seconds))

    def stop(self, number=signal.SIGTERM, seconds=15):
        """Asks it to end; kills it where it does not."""
        self.resume()
        self.send_signal(number)
        try:
            return self.wait(seconds)
        except Failed:
            self.kill()
            return self.exit_code()

    def kill(self):
        """SIGKILL, its children too."""
        victims = [self.pid] + descendants(self.pid) if self.is_running() else []
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not self.is_running() and all(start_time(pid) is None for pid in victims[1:]), 10,
                   f"{self.name} does not die")
        if self.popen is not None:
            self.popen.wait(patient(10))  # until all its threads have ended: till then its locks and sockets are in use

    def rss_bytes(self):
        """What it holds of memory."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        """What it has used of the processors, in all its threads."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def is_sanitized(self):
        """Whether it was built with a sanitizer, which keeps much memory for itself."""
        with open(f"/proc/{self.pid}/maps") as maps:
            return re.search(r"/lib[at]san", maps.read()) is not None

    def pause(self):
        """SIGSTOP, children too: it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        for pid in descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):  # a child may end meanwhile
                os.kill(pid, signal.SIGSTOP)

    def resume(self):
        if not self.is_running():
            return
        for pid in descendants(self.pid) + [self.pid]:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def state(self):
        return {"name": self.name, "pid": self.pid, "began": self.began, "log": self.log, "where": self.where,
                "arguments": self.arguments, "env": self.env}

    @classmethod
    def from_state(cls, state, user):
        process = cls(state["name"], state["arguments"], state["log"], state["env"], user, state["where"])
        process.pid, process.began = state["pid"], state["began"]
        return process
