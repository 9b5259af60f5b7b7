"""docker-compose.yml, run as it is: well, held in, and nobody notices what breaks. In the order of the file: the last stops it."""
import json
import urllib.request

import pytest
import yaml
from drills import drill as drills
from stack.process import wait_until
from stack.stack import create_link, follow_once

from . import drill
from .conftest import say
from .system import FILES, Container

with open(FILES[0]) as compose_file:
    SERVICES = yaml.safe_load(compose_file)["services"]
STAYING = [name for name in SERVICES if name != "migrate"]
OURS = {"migrate", "app1", "app2", "worker", "lb"}
PUBLISHED = {("0.0.0.0", 8080), ("127.0.0.1", 9900), ("127.0.0.1", 9090), ("127.0.0.1", 9093), ("127.0.0.1", 3000)}


def test_the_schema_was_made_before_anybody_was_started(system):
    state = Container(system, "migrate").state()
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


def test_the_programs_say_which_revision_they_are(system):
    said = [system.apps[0].exec("shortener", "--version"), system.lb.process.exec("lb", "--version")]
    revision = Container(system, "lb").inspect()["Config"]["Labels"]["org.opencontainers.image.revision"]
    assert len(revision) > 6 and all(f"({revision})" in each for each in said)


@pytest.mark.parametrize("name", STAYING)
def test_a_container_is_held_in(system, name):
    container, written = Container(system, name), SERVICES[name]
    status = dict(line.split(":\t", 1) for line in container.exec("cat", "/proc/1/status").splitlines() if ":\t" in line)
    assert status["Uid"].split() == [written["user"].split(":")[0]] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    for path in ("/probe", "/etc/probe", "/usr/bin/probe"):
        assert "Read-only file system" in container.exec("sh", "-c", f"touch {path} 2>&1 || true"), path
    limits = container.exec("sh", "-c", "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us"
                            " cpu/cpu.cfs_period_us 2>/dev/null || cat memory.max pids.max cpu.max").split()
    memory, processes, quota, period = map(int, limits)
    assert memory == int(written["mem_limit"].removesuffix("m")) << 20
    assert processes == written["pids_limit"]
    assert quota / period == written["cpus"]


def listening():
    """Where somebody listens in the network that this is in."""
    found = set()
    with open("/proc/thread-self/net/tcp") as table:
        for fields in (line.split() for line in table.readlines()[1:]):
            if fields[3] == "0A":
                address, port = fields[1].split(":")
                found.add((".".join(str(byte) for byte in bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


def test_only_what_is_meant_to_be_is_published(system):
    names = {address for address in listening() if address[0] != "127.0.0.11"}
    assert names == PUBLISHED


def time_to_connect(container, other, port):
    """In seconds; 0 where no connection comes about."""
    (address,) = [network["IPAddress"] for network in other.inspect()["NetworkSettings"]["Networks"].values()]
    return float(container.exec("sh", "-c", f"curl -sm 2 -w '%{{time_connect}}' telnet://{address}:{port} || true"))


@pytest.mark.parametrize("store, port", [("db", 5432), ("db-replica", 5432), ("redis", 6379)])
def test_a_store_is_reached_by_the_instances_and_not_by_what_is_in_front(system, store, port):
    assert time_to_connect(system.apps[0], Container(system, store), port) > 0
    assert time_to_connect(system.lb.process, Container(system, store), port) == 0


def test_a_key_of_the_api_is_made_as_the_documents_say(system):
    assert system.apps[0].exec("shortener", "keys", "create", "--name", "me").startswith("hf_")


def test_prometheus_reaches_every_part_and_has_the_rules(system):
    def asked(path):
        with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
    wanted = {("lb", "lb"), ("shortener", "app1"), ("shortener", "app2"), ("shortener-worker", "worker"),
              ("prometheus", "prometheus"), ("alertmanager", "alertmanager")}
    wait_until(lambda: {(one["labels"]["job"], one["labels"]["instance"]) for one in asked("targets?state=active")["activeTargets"]
                        if one["health"] == "up"} == wanted, 30, "Prometheus does not reach every part")
    assert {group["name"] for group in asked("rules")["groups"]} >= {"objectives", "stores", "instances", "clicks"}
    assert len(asked("alertmanagers")["activeAlertmanagers"]) == 1


def test_nobody_notices_that_an_instance_is_killed_the_replica_paused_and_an_instance_made_anew(system):
    figures = drills.observe(drill, system, drills.Options(rate=150, burst=5), say=say)[0]
    say(json.dumps({name: figures[name] for name in (
        "requests", "posts", "failed", "duplicated", "lost", "retried", "saved", "slowest_ms", "ledger", "before", "during")}))
    assert figures["wrong"] == []
    assert figures["errors"] == {}
    assert figures["requests"] > 1500 and figures["saved"] > 0


def test_a_dump_is_brought_back_as_the_documents_say(system, tmp_path):
    dump = str(tmp_path / "holdfast.dump")
    database = ("exec", "-T", "db")
    with open(dump, "wb") as file:
        system.compose(*database, "pg_dump", "-U", "holdfast", "-Fc", "holdfast", stdout=file)
    system.compose(*database, "createdb", "-U", "holdfast", "restored")
    with open(dump, "rb") as file:
        system.compose(*database, "pg_restore", "-U", "holdfast", "-d", "restored", stdin=file)
    count = "SELECT count(*) FROM links"
    restored = system.primary.exec("psql", "-U", "holdfast", "-XAtq", "-d", "restored", "-c", count).strip()
    assert int(restored) > 100 and restored == system.primary.sql(count)


def test_an_alarm_comes_to_the_webhook_and_is_taken_back(system):
    def told(status):
        return [line for line in system.told() if line["alert"] == "RedisDown" and line["status"] == status]
    system.redis.kill()
    wait_until(lambda: told("firing"), 90, "no alarm came")
    assert "all 2 instances" in told("firing")[0]["summary"]
    system.redis.start()
    wait_until(lambda: told("resolved"), 90, "the alarm is not taken back")


def test_it_stops_in_order_within_its_grace_and_goes_on_with_what_it_had(system):
    base = f"http://127.0.0.1:{system.lb.public}"
    status, link = create_link(base, "https://example.com/kept")
    assert status == 201
    system.compose("stop")
    for name in STAYING:
        state = Container(system, name).state()
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False), f"{name}: {state}"
    system.compose("up", "-d", "--no-build")
    wait_until(lambda: all(Container(system, name).is_well() for name in STAYING), 300, "not all of them are well again")
    assert follow_once(f"{base}/{link['shortCode']}") == (302, "https://example.com/kept")
    system.compose("down", "--volumes")
