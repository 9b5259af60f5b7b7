"""ops/kubernetes: each folder builds, and its objects fit their schemas, each other and the programs. No cluster is needed."""
import copy
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest
from stack import ports
from stack.patience import patient
from stack.process import Process, wait_until
from system import kubernetes
from system.kubernetes import Cluster, environment, pod
from system.node import WEB, modules, node

FOLDERS = ["base", "overlays/cloudnative-pg", "overlays/managed"]


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Those of each folder."""
    scratch = str(tmp_path_factory.mktemp("kubernetes"))
    return {name: kubernetes.build(name, scratch) for name in FOLDERS}


@pytest.fixture(params=FOLDERS)
def cluster(request, objects, tmp_path):
    return Cluster(objects[request.param], tmp_path)


@pytest.fixture
def changed(objects, tmp_path):
    """One to be broken."""
    return Cluster(copy.deepcopy(objects["overlays/cloudnative-pg"]), tmp_path)


def by_schema(cluster):
    where = modules("kubernetes-models")
    done = subprocess.run([node(), os.path.join(WEB, "kubernetes.mjs"), where], input=json.dumps(cluster.objects),
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_times(cluster):
    return kubernetes.wrong_times(cluster, {each["metadata"]["name"]: cluster.settings(container)
                                            for each, container in cluster.programs()})


JUDGES = [by_schema, kubernetes.wrong_hardening, kubernetes.wrong_references, by_times, kubernetes.wrong_journal]


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.__name__)
def test_nothing_is_wrong(cluster, judge):
    assert list(judge(cluster)) == []


def spec(cluster, name):
    return pod(cluster.one("Deployment", name))


def container(cluster, name):
    return spec(cluster, name)["containers"][0]


def configure(cluster, file, old, new):
    (data,) = [each["data"] for each in cluster.all("ConfigMap") if file in each["data"]]
    assert old in data[file]
    data[file] = data[file].replace(old, new)


# What would be wrong, who notices, and by which word.
MUTANTS = {
    "an unknown field": (by_schema, "unknown", lambda c: spec(c, "lb").update(hostNetwrk=True)),
    "an unknown field of the operator's": (by_schema, "unknown", lambda c: c.one("Cluster", "postgres")["spec"].update(x=1)),
    "a wrong type": (by_schema, "integer", lambda c: c.one("Cluster", "postgres")["spec"].update(instances="2")),
    "a field too few": (by_schema, "port", lambda c: container(c, "lb")["livenessProbe"]["httpGet"].pop("port")),
    "an unknown kind": (by_schema, "no schema", lambda c: c.all("ServiceMonitor")[0].update(kind="ServiceMonitr")),
    "root": (kubernetes.wrong_hardening, "root", lambda c: spec(c, "lb")["securityContext"].pop("runAsNonRoot")),
    "a token": (kubernetes.wrong_hardening, "token", lambda c: spec(c, "lb").pop("automountServiceAccountToken")),
    "capabilities": (kubernetes.wrong_hardening, "more than",
                     lambda c: container(c, "redis")["securityContext"].pop("capabilities")),
    "no limit": (kubernetes.wrong_hardening, "what it takes", lambda c: container(c, "worker")["resources"].pop("limits")),
    "no account": (kubernetes.wrong_hardening, "ServiceAccount", lambda c: spec(c, "lb").update(serviceAccountName="x")),
    "a selector": (kubernetes.wrong_references, "own pods",
                   lambda c: c.one("Deployment", "lb")["spec"]["selector"]["matchLabels"].update(a="b")),
    "a port of a Service": (kubernetes.wrong_references, "nobody has the port",
                            lambda c: c.one("Service", "lb")["spec"]["ports"][0].update(targetPort="web")),
    "a budget": (kubernetes.wrong_references, "PodDisruptionBudget",
                 lambda c: c.all("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"].update(a="b")),
    "a scaler": (kubernetes.wrong_references, "HorizontalPodAutoscaler",
                 lambda c: c.all("HorizontalPodAutoscaler")[0]["spec"]["scaleTargetRef"].update(name="x")),
    "replicas that a scaler sets": (kubernetes.wrong_references, "undo",
                                    lambda c: c.one("Deployment", "lb")["spec"].update(replicas=2)),
    "a monitor": (kubernetes.wrong_references, "ServiceMonitor",
                  lambda c: c.all("ServiceMonitor")[0]["spec"]["endpoints"][0].update(port="x")),
    "a policy": (kubernetes.wrong_references, "NetworkPolicy",
                 lambda c: c.one("NetworkPolicy", "lb")["spec"]["podSelector"]["matchLabels"].update(a="b")),
    "a policy's peer": (kubernetes.wrong_references, "NetworkPolicy", lambda c: c.one("NetworkPolicy", "to-stores")["spec"][
        "egress"][0]["to"][0]["podSelector"]["matchLabels"].update({"cnpg.io/cluster": "x"})),
    "a Secret": (kubernetes.wrong_references, "docs/kubernetes.md",
                 lambda c: container(c, "shortener")["env"][0].update(valueFrom={"secretKeyRef": {"name": "x", "key": "y"}})),
    "a volume": (kubernetes.wrong_references, "no volume", lambda c: spec(c, "lb")["volumes"].clear()),
    "a ConfigMap": (kubernetes.wrong_references, "no ConfigMap",
                    lambda c: spec(c, "lb")["volumes"][0]["configMap"].update(name="x")),
    "too short an end of lb": (by_times, "lb: it is killed", lambda c: spec(c, "lb").update(terminationGracePeriodSeconds=40)),
    "too short an end of shortener": (by_times, "shortener: it is killed before",
                                      lambda c: spec(c, "shortener").update(terminationGracePeriodSeconds=20)),
    "an impatient probe": (by_times, "saying that it drains",
                           lambda c: container(c, "shortener")["livenessProbe"].update(failureThreshold=1)),
    "no delay of lb": (by_times, "lb: it closes", lambda c: configure(c, "lb.yaml", "delay: 15s", "delay: 1s")),
    "no delay of shortener": (by_times, "shortener: it closes",
                              lambda c: configure(c, "shortener.yaml", "delay: 5s", "delay: 1s")),
    "slow names": (by_times, "found it", lambda c: configure(c, "lb.yaml", "dns_refresh: 5s", "dns_refresh: 30s")),
    "ready only": (by_times, "not ready yet", lambda c: c.one("Service", "shortener")["spec"].pop("publishNotReadyAddresses")),
    "few addresses": (by_times, "addresses", lambda c: configure(c, "lb.yaml", "dns_addresses: 64", "dns_addresses: 16")),
    "a small volume": (kubernetes.wrong_journal, "evicted",
                       lambda c: [each["emptyDir"].update(sizeLimit="1Gi") for each in spec(c, "shortener")["volumes"]
                                  if "emptyDir" in each]),
    "no volume for clicks": (kubernetes.wrong_journal, "container",
                             lambda c: container(c, "shortener")["env"].append(
                                 {"name": "CLICKS_FOLDER", "value": "/tmp"})),
    "no room for clicks": (kubernetes.wrong_journal, "short of disk",
                           lambda c: container(c, "shortener")["resources"]["requests"].pop("ephemeral-storage")),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_what_is_wrong_is_noticed(changed, name):
    judge, word, mutate = MUTANTS[name]
    mutate(changed)
    found = list(judge(changed))
    assert any(word in each for each in found), found


@pytest.mark.parametrize("file, old", [("lb.yaml", "workers: 2"), ("shortener.yaml", "auth: keys")])
def test_a_configuration_with_a_mistake_is_not_taken(changed, file, old):
    configure(changed, file, old, old.replace(": ", "x: "))
    with pytest.raises(AssertionError, match="unknown key"):
        list(by_times(changed))


@pytest.mark.parametrize("name", ["lb", "shortener", "worker"])
def test_each_probe_asks_for_what_the_program_answers(changed, tmp_path, name):
    asked, answered = probes(changed, tmp_path, name)
    assert asked and answered == [200] * len(asked), list(zip(asked, answered))


@pytest.mark.parametrize("name, mutate, answer", [
    ("lb", lambda probe: probe["httpGet"].update(path="/livez"), 404),
    ("shortener", lambda probe: probe["httpGet"].update(port="admin", path="/healthz"), 404),
    ("shortener", lambda probe: probe["httpGet"].update(port=3001), None)], ids=["path", "its port", "no port"])
def test_a_probe_that_leads_nowhere_is_noticed(changed, tmp_path, name, mutate, answer):
    mutate(container(changed, name)["readinessProbe"])
    assert answer in probes(changed, tmp_path, name)[1]


def probes(cluster, tmp_path, name):
    """What the probes of a Deployment ask for, and what its command answers, run here on other ports."""
    here = {}

    def move(text):
        return re.sub(r"0\.0\.0\.0:(\d+)", lambda found: f"127.0.0.1:{port_for(int(found[1]))}", text)

    def port_for(there):
        return here.setdefault(there, ports.free_port())

    one = container(cluster, name)
    for each in cluster.all("ConfigMap"):
        each["data"] = {key: move(text) for key, text in each["data"].items()}
    for each in one["env"]:
        each.update(value=move(each["value"])) if "value" in each else None
    named = {each["name"]: each["containerPort"] for each in one["ports"]}
    asked = [probe["httpGet"] for key, probe in one.items() if key.endswith("Probe")]
    process = Process(name, cluster.command(one), str(tmp_path / "log"),
                      environment(one, CLICKS_FOLDER=str(tmp_path / "clicks"))).start()
    try:
        process.wait_for_log(r"\bready\b")
        return asked, [get(here.get(named.get(each["port"], each["port"])), each["path"]) for each in asked]
    finally:
        process.kill()


def get(port, path):
    if port is None:
        return None

    def answer():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patient(5)) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return None if error.code == 503 else error.code
    return wait_until(answer, 20, f"no answer at {port}{path}")
