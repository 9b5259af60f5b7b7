"""What must hold of the objects for Kubernetes beyond their schemas: judges that take a Cluster and yield what is wrong.

No cluster is needed: kubectl builds the objects, the programs tell what their configuration means.
"""
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from stack.programs import ROOT, built

FOLDER = os.path.join(ROOT, "ops/kubernetes")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "Ki": 2**10,
         "Mi": 2**20, "Gi": 2**30}
DNS_CACHED = 30     # CoreDNS keeps an answer at most so long, as it is delivered
LAST_CLICKS = 2     # how long a shortener goes on sending clicks after its grace (docs/clicks.md)


def amount(text):
    """1.5s or 64MiB, in seconds or bytes."""
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]+)", str(text)).groups()
    return float(number) * UNITS[unit]


def build(name, scratch):
    """The objects of a folder. Debian 12's kubectl has a kustomize that knows other words for the same: it gets those."""
    kubectl = shutil.which("kubectl") or pytest.skip("kubectl is missing: ./ops/install ci")
    version = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, text=True, timeout=60)
    folder = FOLDER
    if "kustomizeVersion" not in json.loads(version.stdout):
        folder = os.path.join(scratch, "old-words")
        shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
        for where, _, files in os.walk(folder):
            if "kustomization.yaml" in files:
                use_old_words(where)
    done = subprocess.run([kubectl, "kustomize", os.path.join(folder, name)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def use_old_words(folder):
    path = os.path.join(folder, "kustomization.yaml")
    with open(path) as file:
        words = yaml.safe_load(file)
    words["bases"] = [each for each in words["resources"] if os.path.isdir(os.path.join(folder, each))]
    words["resources"] = [each for each in words["resources"] if each not in words["bases"]]
    words["patchesStrategicMerge"] = [each["path"] for each in words.pop("patches", [])]
    with open(path, "w") as file:
        yaml.safe_dump(words, file)


class Cluster:
    def __init__(self, objects, scratch):
        self.objects = objects
        self.scratch = str(scratch)

    def all(self, *kinds):
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind, name):
        return next(each for each in self.all(kind) if each["metadata"]["name"] == name)

    def workloads(self):
        return self.all("Deployment", "Job")

    def programs(self):
        """Deployments of ours, each with its only container."""
        for each in self.all("Deployment"):
            (container,) = pod(each)["containers"]
            if container["command"][0] in ("lb", "shortener"):
                yield each, container

    def has(self, kind, name):
        return any(each["metadata"]["name"] == name for each in self.all(kind))

    def selects(self, selector, labels=None):
        """Somebody's pods, or these labels, fit the selector."""
        wanted = selector.get("matchLabels", {})
        if "cnpg.io/cluster" in wanted:
            return self.has("Cluster", wanted["cnpg.io/cluster"])
        return any(fits(selector, of) for of in ([labels] if labels is not None else map(labels_of_pods, self.workloads())))

    def command(self, container):
        """What the container runs, here: its configuration is written to a file, where no name needs an address."""
        words = list(container["command"])
        if "--config" in words:
            at = words.index("--config") + 1
            words[at] = self.write_config(os.path.basename(words[at]))
        return [built(words[0]), *words[1:]]

    def write_config(self, name):
        (text,) = [each["data"][name] for each in self.all("ConfigMap") if name in each["data"]]
        path = os.path.join(self.scratch, name)
        with open(path, "w") as file:
            file.write(re.sub(r"\bshortener:(\d+)", r"127.0.0.1:\1", text))
        return path

    def settings(self, container):
        """Its whole configuration, as the program understands it. AssertionError where it does not."""
        program, *words = self.command(container)
        offline = ["--offline"] if program.endswith("shortener") else []
        done = subprocess.run([program, "check", *offline, "--dump-config", words[-1]], capture_output=True, text=True,
                              timeout=60, env=environment(container))
        assert done.returncode == 0, done.stderr
        return yaml.safe_load(done.stdout)


def pod(workload):
    return workload["spec"]["template"]["spec"]


def labels_of_pods(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def fits(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))


def environment(container, **others):
    """Its variables; what a Secret says is something that can be read, and leads nowhere."""
    nowhere = {"DATABASE_URL": "postgresql://a:b@127.0.0.1:9/c", "DATABASE_REPLICA_URL": "postgresql://a:b@127.0.0.1:9/c",
               "REDIS_URL": "redis://127.0.0.1:9"}
    said = {each["name"]: each.get("value", nowhere.get(each["name"], "")) for each in container.get("env", [])}
    return {**os.environ, "LC_ALL": "C.UTF-8", **said, **others}


def wrong_hardening(cluster):
    for each in cluster.workloads():
        name, spec = each["metadata"]["name"], pod(each)
        if spec.get("automountServiceAccountToken") is not False or spec.get("enableServiceLinks") is not False:
            yield f"{name}: it gets a token, or variables of Services"
        if "serviceAccountName" in spec and not cluster.has("ServiceAccount", spec["serviceAccountName"]):
            yield f"{name}: no ServiceAccount {spec['serviceAccountName']}"
        context = spec.get("securityContext", {})
        if not (context.get("runAsNonRoot") and context.get("runAsUser") and
                context.get("seccompProfile") == {"type": "RuntimeDefault"}):
            yield f"{name}: it may be root, or make any system call"
        for container in spec["containers"] + spec.get("initContainers", []):
            if container.get("securityContext") != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}:
                yield f"{name}/{container['name']}: it may do more than it needs"
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
                yield f"{name}/{container['name']}: what it takes is not said"


def wrong_references(cluster):
    """Selectors, ports and names that lead nowhere; Secrets that docs/kubernetes.md does not tell of."""
    for each in cluster.all("Deployment"):
        if not fits(each["spec"]["selector"], labels_of_pods(each)):
            yield f"{each['metadata']['name']}: it does not select its own pods"
    for service in cluster.all("Service"):
        behind = [pod(each) for each in cluster.workloads()
                  if fits({"matchLabels": service["spec"]["selector"]}, labels_of_pods(each))]
        ports = [port["name"] for spec in behind for container in spec["containers"] for port in container.get("ports", [])]
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"Service {service['metadata']['name']}: nobody has the port {port['targetPort']}"
    for budget in cluster.all("PodDisruptionBudget"):
        if not cluster.selects(budget["spec"]["selector"]):
            yield f"PodDisruptionBudget {budget['metadata']['name']}: of nobody"
    for scaler in cluster.all("HorizontalPodAutoscaler"):
        if not cluster.has(scaler["spec"]["scaleTargetRef"]["kind"], scaler["spec"]["scaleTargetRef"]["name"]):
            yield f"HorizontalPodAutoscaler {scaler['metadata']['name']}: of nobody"
        elif "replicas" in cluster.one("Deployment", scaler["spec"]["scaleTargetRef"]["name"])["spec"]:
            yield f"HorizontalPodAutoscaler {scaler['metadata']['name']}: each apply would undo what it did"
    for monitor in cluster.all("ServiceMonitor"):
        watched = [port["name"] for service in cluster.all("Service") for port in service["spec"]["ports"]
                   if fits(monitor["spec"]["selector"], service["metadata"]["labels"])]
        for endpoint in monitor["spec"]["endpoints"]:
            if watched.count(endpoint["port"]) != 1:
                yield f"ServiceMonitor {monitor['metadata']['name']}: not one Service with the port {endpoint['port']}"
    for policy in cluster.all("NetworkPolicy"):
        rules = policy["spec"].get("ingress", []) + policy["spec"].get("egress", [])
        peers = [peer for rule in rules for peer in rule.get("from", []) + rule.get("to", [])]
        for selector in [policy["spec"]["podSelector"], *(peer["podSelector"] for peer in peers if "podSelector" in peer)]:
            if not cluster.selects(selector):
                yield f"NetworkPolicy {policy['metadata']['name']}: nobody is {selector}"
    yield from wrong_sources(cluster)


def wrong_sources(cluster):
    with open(os.path.join(ROOT, "docs/kubernetes.md")) as file:
        told = file.read()
    for each in cluster.workloads():
        spec, name = pod(each), each["metadata"]["name"]
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        keys = []
        for container in spec["containers"] + spec.get("initContainers", []):
            keys += [(ref["name"], ref["key"]) for ref in
                     (env["valueFrom"]["secretKeyRef"] for env in container.get("env", []) if "valueFrom" in env)]
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{name}: no volume {mount['name']}"
        keys += [(volume["secret"]["secretName"], item["key"]) for volume in volumes.values() if "secret" in volume
                 for item in volume["secret"]["items"]]
        for secret, key in keys:
            if f"| `{secret}` | `{key}` |" not in told:
                yield f"{name}: docs/kubernetes.md does not tell of key {key} of Secret {secret}"
        for volume in volumes.values():
            if "configMap" in volume and not cluster.has("ConfigMap", volume["configMap"]["name"]):
                yield f"{name}: no ConfigMap {volume['configMap']['name']}"


def wrong_times(cluster, settings):
    """Who ends is given the time to; who is new is known before another one goes. `settings`: of each program."""
    lb, pool, app = settings["lb"], settings["lb"]["pools"]["shortener"], settings["shortener"]
    health, ends = pool["health"], {}
    for each, container in cluster.programs():
        name, shutdown = each["metadata"]["name"], settings[each["metadata"]["name"]]["shutdown"]
        ends[name] = amount(shutdown["delay"]) + amount(shutdown["grace"]) + (0 if name == "lb" else LAST_CLICKS)
        if pod(each).get("terminationGracePeriodSeconds", 30) < ends[name]:
            yield f"{name}: it is killed before its end, which may take {ends[name]} s"
        alive = container["livenessProbe"]
        if alive["httpGet"]["path"] == "/health" and alive["periodSeconds"] * alive["failureThreshold"] < ends[name]:
            yield f"{name}: it is killed for saying that it drains"
    ready = cluster.one("Deployment", "lb"), cluster.one("Deployment", "shortener")
    probes = [pod(each)["containers"][0]["readinessProbe"] for each in ready]
    if amount(lb["shutdown"]["delay"]) < 2 * probes[0]["periodSeconds"] * probes[0]["failureThreshold"]:
        yield "lb: it closes before its probe has failed"
    if amount(app["shutdown"]["delay"]) < 2 * (amount(health["interval"]) + amount(health["timeout"])):
        yield "shortener: it closes before each lb has seen a probe fail"
    found = amount(pool["dns_refresh"]) + DNS_CACHED + amount(health["interval"])
    if probes[1].get("initialDelaySeconds", 0) < found:
        yield f"shortener: it counts as ready before each lb has found it, which may take {found} s"
    if not cluster.one("Service", "shortener")["spec"].get("publishNotReadyAddresses"):
        yield "Service shortener: without those that are not ready yet lb would never find them in time"
    if cluster.one("HorizontalPodAutoscaler", "shortener")["spec"]["maxReplicas"] * 2 > pool["dns_addresses"]:
        yield "shortener: more addresses than lb takes, with those that are about to end"


def wrong_journal(cluster):
    each = cluster.one("Deployment", "shortener")
    (container,) = pod(each)["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(each)["volumes"]}
    size, volume = amount(env["CLICKS_SIZE"]), volumes.get(mounts.get(env["CLICKS_FOLDER"]))
    if volume is None or "emptyDir" not in volume:
        yield "shortener: its clicks go with the container"
    elif amount(volume["emptyDir"]["sizeLimit"]) < 1.1 * size:
        yield "shortener: a full journal gets the pod evicted, and is gone"
    if amount(container["resources"]["requests"].get("ephemeral-storage", "0Mi")) < size:
        yield "shortener: a machine short of disk evicts it first"
