"""docker-compose.yml as a text: every service is held in, its times fit the programs' own, and no secret has a default. That
it runs is tests/containers' business, which needs root and an engine."""
import copy
import os
import re
import stat
import subprocess

import pytest
import yaml
from stack.programs import ROOT, built

COMPOSE = os.path.join(ROOT, "docker-compose.yml")
MAKE_ENV = os.path.join(ROOT, "ops/container/make-env")
ONCE = {"migrate"}  # runs to its end
SECRET = re.compile(r"PASSWORD|TOKEN|_AUTH$")


@pytest.fixture
def compose():
    with open(COMPOSE) as file:
        return yaml.safe_load(file)


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m)", text).groups()
    return float(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def wrong_hardening(compose):
    for name, service in compose["services"].items():
        if re.fullmatch(r"(0|root)?", str(service.get("user", "")).split(":")[0]):
            yield f"{name} runs as root"
        if service.get("read_only") is not True:
            yield f"{name} may change its own files"
        if service.get("cap_drop") != ["ALL"] or "cap_add" in service or service.get("privileged"):
            yield f"{name} has more capabilities than none"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} may gain privileges"
        for limit in ("mem_limit", "cpus", "pids_limit"):
            if not service.get(limit):
                yield f"{name} has no {limit}"
        if not service.get("logging", {}).get("options", {}).get("max-size"):
            yield f"{name}'s log grows without end"
        if name not in ONCE and ("healthcheck" not in service or service.get("restart") != "unless-stopped"):
            yield f"nobody knows whether {name} is well, or starts it again"
        for volume in service.get("volumes", []):
            if volume.startswith(".") and not volume.endswith(":ro"):
                yield f"{name} may write {volume}"


def wrong_places(compose):
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:") and (name, port) != ("lb", "8080:8080"):
                yield f"{name} is open to the world at {port}"
        networks = service.get("networks", ["default"])
        for network in networks:
            if network not in compose["networks"]:
                yield f"{name} is in {network}, which is not described"
            if "back" in networks and not compose["networks"][network].get("internal"):
                yield f"{name} is reached from outside, beside the stores"
        version = service["image"].rpartition(":")[2]
        if "holdfast" not in service["image"] and not re.match(r"v?\d+\.\d+(\.\d+)?(-|$)", version):
            yield f"{name}'s image may be another tomorrow: {service['image']}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not (os.path.exists(os.path.join(ROOT, source)) if source.startswith(".") else source in compose["volumes"]):
                yield f"{name}: there is no {source}"
        for other in service.get("depends_on", {}):
            if other not in compose["services"]:
                yield f"{name} waits for {other}, which is not there"


def wrong_secrets(compose):
    def texts(value):
        if isinstance(value, dict):
            for key, each in value.items():
                if isinstance(each, str) and SECRET.search(key) and key != "API_AUTH":
                    yield key, each
                yield from texts(each)
        elif isinstance(value, list):
            for each in value:
                yield from texts(each)
        elif isinstance(value, str):
            for found in re.findall(r"\$\{\w*(?:PASSWORD|TOKEN)[^}]*\}", value):
                yield found, found
    for name, service in compose["services"].items():
        for key, value in texts(service):
            if not re.fullmatch(r"\$\{\w+:\?run \./ops/container/make-env, [^}]+\}", value) and value != "${LB_ADMIN_TOKEN:-}":
                yield f"{name}: {key} is not asked for: {value}"


def wrong_times(compose):
    with open(os.path.join(ROOT, "config/compose-lb.yaml")) as file:
        lb = yaml.safe_load(file)
    health = lb["pools"]["shortener"]["health"]
    own = compose["services"]["app1"]["environment"]
    delay, grace = seconds(own["SHUTDOWN_DELAY"]), seconds(own["SHUTDOWN_GRACE"])
    for name in ("app1", "app2", "worker"):
        if seconds(compose["services"][name]["stop_grace_period"]) < delay + grace + 2 + 1:
            yield f"{name} is killed before it has ended"
    if seconds(compose["services"]["lb"]["stop_grace_period"]) < seconds(lb["shutdown"]["grace"]) + 5:
        yield "lb is killed before it has ended"
    # Its name is gone with the container: what lb learns by its probes it must learn before, the name after.
    if delay < seconds(health["interval"]) * 2:
        yield "an instance closes before lb has noticed that it leaves"
    if seconds(lb["pools"]["shortener"]["dns_refresh"]) > 2:
        yield "lb finds a new instance late"


JUDGES = [wrong_hardening, wrong_places, wrong_secrets, wrong_times]


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.__name__)
def test_nothing_is_wrong(compose, judge):
    assert list(judge(compose)) == []


# What would be wrong, who notices, by which word.
MUTANTS = {
    "root": (wrong_hardening, "root", lambda c: c["services"]["lb"].pop("user")),
    "root by number": (wrong_hardening, "root", lambda c: c["services"]["db"].update(user="0:0")),
    "a writable root": (wrong_hardening, "own files", lambda c: c["services"]["grafana"].pop("read_only")),
    "capabilities": (wrong_hardening, "capabilities", lambda c: c["services"]["redis"].update(cap_add=["NET_ADMIN"])),
    "new privileges": (wrong_hardening, "gain", lambda c: c["services"]["app1"].update(security_opt=[])),
    "no limit of memory": (wrong_hardening, "mem_limit", lambda c: c["services"]["worker"].pop("mem_limit")),
    "no limit of processes": (wrong_hardening, "pids_limit", lambda c: c["services"]["migrate"].pop("pids_limit")),
    "an endless log": (wrong_hardening, "log", lambda c: c["services"]["lb"].update(logging={"driver": "json-file"})),
    "no health check": (wrong_hardening, "well", lambda c: c["services"]["alertmanager"].pop("healthcheck")),
    "a folder of ours to write": (wrong_hardening, "may write", lambda c: c["services"]["lb"]["volumes"].append("./config:/x")),
    "an open admin port": (wrong_places, "open", lambda c: c["services"]["lb"]["ports"].append("9900:9900")),
    "an open store": (wrong_places, "open", lambda c: c["services"]["db"].update(ports=["5432:5432"])),
    "a store outside": (wrong_places, "from outside", lambda c: c["services"]["redis"].update(networks=["back", "outside"])),
    "a back with a way out": (wrong_places, "from outside", lambda c: c["networks"]["back"].pop("internal")),
    "any version": (wrong_places, "tomorrow", lambda c: c["services"]["redis"].update(image="redis:8")),
    "a file that is not there": (wrong_places, "no ./x", lambda c: c["services"]["lb"].update(volumes=["./x:/x:ro"])),
    "a volume that is not there": (wrong_places, "no clicks", lambda c: c["services"]["app1"].update(volumes=["clicks:/x"])),
    "a default password": (wrong_secrets, "asked for",
                           lambda c: c["services"]["db"]["environment"].update(POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-x}")),
    "a password in a URL": (wrong_secrets, "asked for", lambda c: c["services"]["worker"]["environment"].update(
        REDIS_URL="redis://default:${REDIS_PASSWORD:-x}@redis:6379/0")),
    "a password in a command": (wrong_secrets, "asked for", lambda c: c["services"]["redis"].update(
        command=["redis-server", "--requirepass", "${REDIS_PASSWORD-}"])),
    "an instance killed": (wrong_times, "app2 is killed", lambda c: c["services"]["app2"].update(stop_grace_period="10s")),
    "lb killed": (wrong_times, "lb is killed", lambda c: c["services"]["lb"].update(stop_grace_period="30s")),
    "an instance gone at once": (wrong_times, "closes before",
                                 lambda c: c["services"]["app1"]["environment"].update(SHUTDOWN_DELAY="0s")),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_what_is_wrong_is_noticed(compose, name):
    judge, word, mutate = MUTANTS[name]
    broken = copy.deepcopy(compose)
    mutate(broken)
    found = list(judge(broken))
    assert any(word in each for each in found), found


def test_lb_takes_its_file(tmp_path):
    with open(os.path.join(ROOT, "config/compose-lb.yaml")) as file:
        text = file.read()
    (tmp_path / "lb.yaml").write_text(text.replace("shortener:3000", "127.0.0.1:3000"))  # the name is one of compose's network
    done = subprocess.run([built("lb"), "check", str(tmp_path / "lb.yaml")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_environment_is_made_with_secrets_of_its_own_and_never_over_another(tmp_path):
    def made(name):
        subprocess.run([MAKE_ENV, str(tmp_path / name)], check=True, capture_output=True, timeout=30)
        lines = (tmp_path / name).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    one, other = made("one"), made("other")
    secrets = {key for key in one if SECRET.search(key) and key != "API_AUTH"}
    assert len(secrets) == 5 and all(re.fullmatch(r"[0-9a-f]{48}", one[key]) for key in secrets)
    assert all(one[key] != other[key] for key in secrets)
    assert stat.S_IMODE(os.stat(tmp_path / "one").st_mode) == 0o600
    again = subprocess.run([MAKE_ENV, str(tmp_path / "one")], capture_output=True, text=True, timeout=30)
    assert again.returncode == 1 and "left alone" in again.stderr
    # All that the file asks for is in it.
    with open(COMPOSE) as file:
        asked = set(re.findall(r"\$\{(\w+)", file.read())) - {"REVISION", "HOLDFAST_TAG"}
    assert asked == one.keys()


def test_prometheus_asks_each_part_by_its_name(compose):
    with open(os.path.join(ROOT, "config/prometheus.yml")) as file:
        jobs = {each["job_name"]: each["file_sd_configs"][0]["files"][0] for each in yaml.safe_load(file)["scrape_configs"]}
    found = set()
    for job, path in jobs.items():
        with open(os.path.join(ROOT, "config", path.replace("targets/", "compose-targets/"))) as file:
            for group in yaml.safe_load(file):
                found |= {(job, target) for target in group["targets"]}
    own = ("prometheus", "127.0.0.1:9090")
    assert found == {("lb", "lb:9900"), ("shortener", "app1:9100"), ("shortener", "app2:9100"), ("shortener-worker", "worker:9100"),
                     ("alertmanager", "alertmanager:9093"), own}
    shared = set(compose["services"]["prometheus"]["networks"])
    for _, target in found - {own}:
        assert shared & set(compose["services"][target.split(":")[0]]["networks"]), target
