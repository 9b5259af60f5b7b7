"""docker-compose.yml while it runs, in the terms of the drills: the same load and the same three accounts as natively."""
import json
import os

import yaml
from stack.programs import ROOT, Lb

from .engine import run

FILES = [os.path.join(ROOT, "docker-compose.yml"), os.path.join(ROOT, "tests/containers/override.yml")]
PUBLIC, ADMIN = 8080, 9900
WEBHOOK = "http://127.0.0.1:9096/?a=1&b=2|3"  # what sed would read otherwise than it stands


class Container:
    """One service; its own `process`, as the drills see it."""

    def __init__(self, system, name):
        self.system = system
        self.name = name
        self.process = self

    def id(self):
        labels = [f"label=com.docker.compose.service={self.name}", "label=com.docker.compose.oneoff=False"]
        return self.system.engine.docker("ps", "-aq", "--filter", labels[0], "--filter", labels[1]).strip()

    def inspect(self):
        return json.loads(self.system.engine.docker("inspect", self.id()))[0]

    def state(self):
        return self.inspect()["State"]

    def is_running(self):
        return self.state()["Running"]

    def is_well(self):
        return self.state()["Health"]["Status"] == "healthy"

    def exec(self, *command):
        return self.system.engine.docker("exec", self.id(), *command, seconds=60)

    def log_text(self):
        return run("sh", "-c", 'docker logs "$0" 2>&1', self.id(), env=self.system.engine.env)

    def kill(self):
        self.system.engine.docker("kill", self.id())

    def start(self):
        self.system.engine.docker("start", self.id())

    def stop(self):
        self.system.engine.docker("stop", self.id())

    def pause(self):
        self.system.engine.docker("pause", self.id())

    def resume(self):
        if self.state()["Paused"]:
            self.system.engine.docker("unpause", self.id())

    def recreate(self):
        """As docs/containers.md upgrades it."""
        self.system.compose("up", "-d", "--no-deps", "--no-build", "--force-recreate", self.name)


class App(Container):
    def health(self):
        """What it says of itself: status, and the answer."""
        status, _, body = self.exec("curl", "-sS", "-w", "\n%{http_code}", "http://127.0.0.1:3000/health").rpartition("\n")[::-1]
        return int(status), json.loads(body)


class Database(Container):
    def sql(self, statement):
        return self.exec("psql", "-U", "holdfast", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement).strip()


class ComposeLb(Lb):
    """Its ports are those that are published, so this wants the engine's network."""

    def __init__(self, process):
        self.process = process
        self.public, self.admin = PUBLIC, ADMIN

    def states(self):
        """Of the addresses that the name has: two instances have two."""
        states = {name: state for name, state in super().states().items() if state != "down"}
        return states if len(states) == 2 else {"addresses": f"{len(states)}, not 2"}


class System:
    """`secrets` is the file that ops/container/make-env made."""

    def __init__(self, engine, secrets):
        self.engine = engine
        self.command = ["docker-compose", "--project-name", "holdfast", "--env-file", secrets]
        for file in FILES:
            self.command += ["-f", file]
        self.primary, self.replica = Database(self, "db"), Database(self, "db-replica")
        self.redis, self.worker = Container(self, "redis"), Container(self, "worker")
        self.apps = [App(self, "app1"), App(self, "app2")]
        self.lb = ComposeLb(Container(self, "lb"))

    def compose(self, *arguments, seconds=300, **more):
        env = {**self.engine.env, "API_AUTH": "open", "ALARM_WEBHOOK": WEBHOOK}
        return run(*self.command, *arguments, env=env, seconds=seconds, **more)

    def understood(self):
        """The file as Compose has understood it."""
        return yaml.safe_load(self.compose("config"))

    def containers(self):
        """Those that stay, but for the one that is the test's own."""
        with open(FILES[0]) as file:
            return [Container(self, name) for name in yaml.safe_load(file)["services"] if name != "migrate"]

    def processes(self):
        return [self.primary, self.replica, self.redis, self.worker, *self.apps]

    def told(self):
        """The alarms that came to the webhook."""
        lines = Container(self, "alarms").exec("sh", "-c", "cat /tmp/alarms.jsonl 2>/dev/null || true").splitlines()
        return [json.loads(line) for line in lines]
