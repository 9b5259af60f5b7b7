"""Prometheus and Alertmanager with the files of config/, who tells how full the disks are, and a receiver that writes down what
alarms come."""
import json
import os
import re
import shutil
import urllib.request

from . import alarms, ports
from .patience import patient
from .process import Failed, Process, own, wait_until
from .programs import ROOT

CONFIG = os.path.join(ROOT, "config")
PORTS = {"prometheus": 9090, "alertmanager": 9093, "alarms": 9095, "node": 9101}  # what is taken where it is free, and wanted


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patient(5)) as answer:
        return answer.read().decode()


class Monitoring:
    """`folder` has its data and the copies of its configuration; `numbers` are its ports, by name."""

    def __init__(self, folder, user, logs, numbers=None, preferred=False):
        self.folder = os.path.join(folder, "monitoring")
        self.user = user
        self.numbers = numbers or {name: ports.free_port(port if preferred else None) for name, port in PORTS.items()}
        self.alarms_file = os.path.join(logs, "alarms.jsonl")

        def process(name, *command):
            return Process(name, list(command), os.path.join(logs, name + ".log"), user=user,
                           where=f"http://127.0.0.1:{self.numbers[name]}")
        inside = lambda *names: os.path.join(self.folder, *names)  # noqa: E731
        at = {name: f"127.0.0.1:{port}" for name, port in self.numbers.items()}
        self.alarms = process("alarms", "/usr/bin/python3", inside("alarms.py"), str(self.numbers["alarms"]), self.alarms_file)
        self.alertmanager = process(
            "alertmanager", "/usr/bin/prometheus-alertmanager", "--config.file", inside("alertmanager.yml"),
            "--storage.path", inside("alertmanager"), "--web.listen-address", at["alertmanager"],
            "--cluster.listen-address=", "--log.level=warn")
        self.node = process(
            "node", "/usr/bin/prometheus-node-exporter", "--collector.disable-defaults", "--collector.filesystem",
            "--web.listen-address", at["node"], "--log.level=warn")
        self.prometheus = process(
            "prometheus", "/usr/bin/prometheus", "--config.file", inside("prometheus.yml"), "--storage.tsdb.path",
            inside("prometheus"), "--web.listen-address", at["prometheus"], "--storage.tsdb.retention.time=7d",
            "--log.level=warn")

    def start(self, targets):
        """`targets`: job → {name of the instance: address}."""
        for process in self.processes():
            if not os.path.exists(process.arguments[0]):
                raise Failed(f"{process.arguments[0]} is missing: run ops/install monitoring")
        self._configure(targets)
        self.alarms.start().wait_for_log("ready")
        self.node.start()
        self.alertmanager.start()
        self.prometheus.start()
        for process in (self.alertmanager, self.prometheus):
            wait_until(lambda process=process: self._is_ready(process), 30, f"{process.name} does not answer; see {process.log}")
        return self

    def _is_ready(self, process):
        process.must_run()
        try:
            return get(self.numbers[process.name], "/-/ready") is not None
        except OSError:
            return False

    def _configure(self, targets):
        os.makedirs(os.path.join(self.folder, "targets"), exist_ok=True)
        own(self.folder, self.user)
        for name in os.listdir(CONFIG):
            if re.fullmatch(r"prometheus\.yml|alerts.*\.yml", name):
                shutil.copy(os.path.join(CONFIG, name), self.folder)
        with open(os.path.join(CONFIG, "alertmanager.yml")) as kept:
            text = kept.read().replace(f":{PORTS['alarms']}/", f":{self.numbers['alarms']}/")
        self._write("alertmanager.yml", text)
        shutil.copy(alarms.__file__, os.path.join(self.folder, "alarms.py"))
        # JSON is YAML.
        own_targets = {name: {name: f"127.0.0.1:{self.numbers[name]}"} for name in ("prometheus", "alertmanager", "node")}
        for job, places in {**targets, **own_targets}.items():
            groups = [{"targets": [place], "labels": {"instance": name}} for name, place in places.items()]
            self._write(f"targets/{job}.yml", json.dumps(groups))

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, 0o644)

    def told(self):
        """The alarms that have come to the webhook, oldest first."""
        try:
            with open(self.alarms_file) as lines:
                return [json.loads(line) for line in lines if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def scraped(self):
        """Instances that Prometheus reaches: {(job, instance)}."""
        found = json.loads(get(self.numbers["prometheus"], "/api/v1/targets?state=active"))["data"]["activeTargets"]
        return {(one["labels"]["job"], one["labels"]["instance"]) for one in found if one["health"] == "up"}

    def worried(self):
        """Names of the alarms that Prometheus has firing, or pending."""
        return {one["labels"]["alertname"] for one in json.loads(get(self.numbers["prometheus"], "/api/v1/alerts"))["data"]["alerts"]}

    def processes(self):
        return [self.prometheus, self.alertmanager, self.node, self.alarms]

    def stop(self):
        for process in self.processes():
            process.stop()
