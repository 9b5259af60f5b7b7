"""The whole system: PostgreSQL primary and replica, Redis, two shorteners and a worker, lb. Private, under one folder."""
import json
import os
import secrets
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request

from . import ports
from .monitoring import Monitoring
from .patience import patient, patient_ms
from .postgres import Postgres, make_pair
from .process import Failed, Process, as_user, own, tail, unprivileged_user, wait_until
from .programs import Lb, Shortener, Worker, built
from .redis import Redis

LB_CONFIG = """# Made by ops/up. What runs here: lb in front of two shorteners.
listen: 127.0.0.1:{public}
admin:
  listen: 127.0.0.1:{admin}
log: {{ access: "{access_log}" }}
pools:
  shortener:
    upstreams:
      - {{ address: "127.0.0.1:{app1}", name: app1 }}
      - {{ address: "127.0.0.1:{app2}", name: app2 }}
    health:
      uri: /health
      interval: 1s
    retry:
      assign_idempotency_key: true   # the shorteners honour it
"""


HOME = "checkout"  # the file that tells a system's folder from a copy of it: it has the folder's path


def patient_timeouts():
    """Settings of the shortener for tests and drills, where two databases share the machine with what is tested: a query
    may take longer than it is given in production."""
    return {"DATABASE_TIMEOUT_REPLICA": patient_ms(0.5), "DATABASE_TIMEOUT_LOOKUP": patient_ms(1.5),
            "DATABASE_TIMEOUT_WRITE": patient_ms(3), "REDIS_TIMEOUT_COMMAND": patient_ms(0.1)}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


def follow_once(url):
    """Status and Location of a GET that is not followed."""
    try:
        with urllib.request.build_opener(NoRedirect).open(url, timeout=patient(5)) as answer:
            return answer.status, answer.headers.get("Location")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Location")


def create_link(base, target, slug=None, headers=None):
    """POST /api/v1/links: status and body."""
    body = {"longUrl": target, **({"customSlug": slug} if slug else {})}
    request = urllib.request.Request(f"{base}/api/v1/links", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=patient(10)) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def original_of(folder):
    """The folder of which `folder` is a copy; None if it is none. Of a checkout that was moved nothing is left behind."""
    try:
        with open(os.path.join(folder, HOME)) as kept:
            home = kept.read()
        return None if os.path.samefile(home, folder) else home
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return home


class Stack:
    """`folder` is where everything lives. `say` is told each step."""

    def __init__(self, folder, is_durable=True, say=lambda text: None, preferred_port=None, env=None,
                 with_monitoring=False, fails_over=False):
        self.folder = os.path.abspath(folder)
        self.is_durable = is_durable
        self.say = say
        self.preferred_port = preferred_port
        self.env = env or {}
        self.with_monitoring = with_monitoring
        self.fails_over = fails_over  # programs know the replica as one that may become the primary
        self.primary = self.replica = self.redis = self.worker = self.lb = self.monitoring = None
        self.apps = []
        self.user = None

    # --- Parts, in the order in which they start ---

    def start(self):
        try:
            self._prepare()
            self._start_stores()
            self._start_programs()
            self._wait_for_a_link()
            if self.with_monitoring:
                self._start_monitoring()
        except BaseException:
            self.stop()
            raise
        return self

    def _prepare(self):
        self.user = unprivileged_user()
        self.logs = os.path.join(self.folder, "log")
        self.data = self._data_folder()
        for folder in (self.folder, self.logs, self.data):
            os.makedirs(folder, exist_ok=True)
        for folder in (self.logs, self.data):
            own(folder, self.user)
        with open(os.path.join(self.folder, HOME), "w") as out:
            out.write(self.folder)
        secret = os.path.join(self.folder, "password")
        if not os.path.exists(secret):
            with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(18))
        with open(secret) as kept:
            self.password = kept.read().strip()

    def _data_folder(self):
        """Under the folder, or where its owner can reach it: a checkout below /root is closed to all others."""
        inside = os.path.join(self.folder, "data")
        if os.path.islink(inside):
            return os.readlink(inside)  # a checkout that was moved goes on with it
        if self.user is None or self._can_reach(os.path.dirname(self.folder)):
            return inside
        outside = "/var/lib/holdfast" + self.folder.replace("/", "-")
        self.say(f"{self.user.pw_name} cannot reach {self.folder}: data and programs are in {outside}")
        os.makedirs(self.folder, exist_ok=True)
        os.symlink(outside, inside)
        return outside

    def _can_reach(self, path):
        return subprocess.run(["test", "-x", path, "-a", "-r", path], cwd="/", **as_user(self.user)).returncode == 0

    def _start_stores(self):
        is_new = not os.path.exists(os.path.join(self.data, "primary"))
        self.say("PostgreSQL primary and replica" + (" (new)" if is_new else ""))
        self.primary, self.replica = make_pair(self.data, self.password, self.user, self.logs, self.is_durable)
        self.say("Redis")
        self.redis = Redis(self.data, self.user, self.logs).start()

    def _program(self, name):
        """A copy beside the data: everybody may run it, and a rebuild does not disturb it."""
        folder = os.path.join(self.data, "bin")
        os.makedirs(folder, exist_ok=True)
        copy = os.path.join(folder, name)
        shutil.copy2(built(name), copy + ".new")
        os.replace(copy + ".new", copy)
        os.chmod(copy, 0o755)
        return copy

    def app_env(self, public=None):
        env = {"DATABASE_URL": self.primary.url(or_else=self.replica if self.fails_over else None),
               "DATABASE_REPLICA_URL": self.replica.url(),
               "REDIS_URL": self.redis.url(), "API_AUTH": "open",
               "RATE_LIMIT_ADDRESS": "0", **self.env}
        if public is not None:
            env["PUBLIC_URL"] = f"http://127.0.0.1:{public}"
        return env

    def migrate(self, binary=None):
        log = os.path.join(self.logs, "migrate.log")
        with open(log, "wb") as out:
            done = subprocess.run([binary or built("shortener"), "migrate"], stdout=out, stderr=out, cwd="/",
                                  env={**os.environ, **self.app_env()})
        if done.returncode != 0:
            raise Failed(f"migrate failed (exit code {done.returncode}); the end of {log}:\n{tail(log)}")

    def _start_programs(self):
        shortener = self._program("shortener")
        self.say("migrations")
        self.migrate(shortener)
        public = ports.free_port(self.preferred_port)
        self.say("two shorteners")
        for name in ("app1", "app2"):
            app = Shortener(name, self.logs, ports.free_port(), self.app_env(public), self.user, shortener,
                            clicks=self.data)
            self.apps.append(app)
            app.start()
        self.say("worker")
        self.worker = Worker("worker", self.logs, ports.free_port(), self.app_env(), self.user, shortener).start()
        self.say("lb")
        config = LB_CONFIG.format(public=public, admin=ports.free_port(9900 if self.preferred_port else None),
                                  access_log=os.path.join(self.logs, "access.log"),
                                  app1=self.apps[0].port, app2=self.apps[1].port)
        folder = os.path.join(self.data, "config")
        os.makedirs(folder, exist_ok=True)
        self.lb = Lb(config, folder, self.logs, user=self.user, binary=self._program("lb"))
        self.lb.start()

    def _wait_for_a_link(self):
        self.say("a first link, created and followed through lb")

        def works():
            try:
                status, link = create_link(self.url(), "https://example.com/")
                return status == 201 and follow_once(f"{self.url()}/{link['shortCode']}")[0] == 302
            except (OSError, ValueError):
                return False
        wait_until(works, 30, f"no link can be created and followed; see {self.logs}")

    def url(self):
        return f"http://127.0.0.1:{self.lb.public}"

    def _start_monitoring(self):
        self.say("Prometheus and Alertmanager")
        self.monitoring = Monitoring(self.data, self.user, self.logs, preferred=self.preferred_port is not None)
        self.monitoring.start({"lb": {"lb": f"127.0.0.1:{self.lb.admin}"},
                               "shortener": {app.process.name: app.process.where for app in self.apps},
                               "worker": {"worker": self.worker.process.where}})

    # --- What runs ---

    def _parts(self):
        parts = [self.lb] + self.apps + [self.worker, self.redis, self.replica, self.primary]
        return [part for part in parts if part is not None]

    def processes(self):
        """In the order in which they are stopped."""
        watching = self.monitoring.processes() if self.monitoring else []
        return watching + [part.process for part in self._parts()]

    def stop(self):
        for part in ([self.monitoring] if self.monitoring else []) + self._parts():
            part.stop()

    def save(self):
        path = os.path.join(self.folder, "state.json")
        state = {"public": self.lb.public, "admin": self.lb.admin, "env": self.env,
                 "ports": {"primary": self.primary.port, "replica": self.replica.port, "redis": self.redis.port,
                           "worker": self.worker.port, "apps": [app.port for app in self.apps],
                           "monitoring": self.monitoring.numbers if self.monitoring else None},
                 "processes": {process.name: process.state() for process in self.processes()}}
        with open(os.open(path + ".new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            json.dump(state, out, indent=1)
        os.replace(path + ".new", path)

        with open(os.open(os.path.join(self.folder, "env"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            out.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in self.names().items())

    def names(self):
        """The parts' addresses, by the names that the runbooks of docs/ops give them: for a shell."""
        names = {"LB": f"127.0.0.1:{self.lb.public}", "ADMIN": f"127.0.0.1:{self.lb.admin}",
                 "APPS": " ".join(app.process.where for app in self.apps),
                 "PRIMARY": self.primary.url(), "REPLICA": self.replica.url(), "REDIS": self.redis.url()}
        if self.monitoring:
            names["PROMETHEUS"] = self.monitoring.prometheus.where
        return names

    @classmethod
    def load(cls, folder):
        """The system that ops/up left running under `folder`; None if there is none, or if it belongs to another checkout."""
        if original_of(folder) is not None:
            return None
        stack = cls(folder)
        try:
            with open(os.path.join(stack.folder, "state.json")) as saved:
                state = json.load(saved)
        except (OSError, ValueError):
            return None
        stack.user = unprivileged_user()
        stack.logs = os.path.join(stack.folder, "log")
        stack.data = os.path.realpath(os.path.join(stack.folder, "data"))
        stack.env = state["env"]
        with open(os.path.join(stack.folder, "password")) as kept:
            stack.password = kept.read().strip()
        known = {name: Process.from_state(one, stack.user) for name, one in state["processes"].items()}
        numbers = state["ports"]

        def revive(part, name):
            part.process = known[name]
            return part
        stack.primary = revive(Postgres("primary", stack.data, numbers["primary"], stack.password, stack.user,
                                        stack.logs), "primary")
        stack.replica = revive(Postgres("replica", stack.data, numbers["replica"], stack.password, stack.user,
                                        stack.logs), "replica")
        stack.redis = revive(Redis(stack.data, stack.user, stack.logs, numbers["redis"]), "redis")
        shortener = os.path.join(stack.data, "bin", "shortener")
        for name, port in zip(("app1", "app2"), numbers["apps"]):
            stack.apps.append(revive(Shortener(name, stack.logs, port, {}, stack.user, shortener, clicks=stack.data), name))
        if "worker" in known:  # a system of an older checkout has none
            stack.worker = revive(Worker("worker", stack.logs, numbers["worker"], {}, stack.user, shortener), "worker")
        with open(os.path.join(stack.data, "config", "lb.yaml")) as kept:
            config = kept.read()
        stack.lb = revive(Lb(config, os.path.join(stack.data, "config"), stack.logs, user=stack.user,
                             binary=os.path.join(stack.data, "bin", "lb")), "lb")
        stack.lb.public, stack.lb.admin = state["public"], state["admin"]
        if numbers.get("monitoring"):
            stack.with_monitoring = True
            stack.monitoring = Monitoring(stack.data, stack.user, stack.logs, numbers.get("monitoring"))
            for process in [each for each in stack.monitoring.processes() if each.name in known]:
                setattr(stack.monitoring, process.name, known[process.name])
        return stack

    def is_up(self):
        return all(process.is_running() for process in self.processes())

    def table(self):
        rows = [("lb", f"http://127.0.0.1:{self.lb.public}", self.lb.process),
                ("  admin", f"http://127.0.0.1:{self.lb.admin}", self.lb.process)]
        rows += [(app.process.name, f"http://127.0.0.1:{app.port}", app.process) for app in self.apps]
        rows += [(part.process.name, part.process.where, part.process)
                 for part in (self.worker, self.primary, self.replica, self.redis)]
        rows += [(process.name, process.where, process) for process in (self.monitoring.processes() if self.monitoring else [])]
        lines = [f"{'what':<14}{'where':<28}{'pid':>8}  log"]
        for name, where, process in rows:
            pid = str(process.pid) if process.is_running() else "ended"
            lines.append(f"{name:<14}{where:<28}{pid:>8}  {os.path.relpath(process.log)}")
        return "\n".join(lines)


def measure(begun):
    return f"{time.monotonic() - begun:5.1f} s"
