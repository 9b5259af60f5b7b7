"""ops/up and ops/down as a user meets them, in a clone of their own."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

import pytest
from stack.patience import patient
from stack.process import start_time
from stack.programs import ROOT, built
from stack.stack import create_link, follow_once


@pytest.fixture
def clone():
    """The scripts alone, under a path that everybody can reach; the programs are those that are built already."""
    path = tempfile.mkdtemp(prefix="holdfast-clone-")
    os.chmod(path, 0o755)
    shutil.copytree(os.path.join(ROOT, "ops"), os.path.join(path, "ops"))
    yield path
    subprocess.run([os.path.join(path, "ops/down"), "--wipe"], capture_output=True, timeout=60)
    shutil.rmtree(path, ignore_errors=True)


def run(clone, script, *arguments, binaries=None):
    done = subprocess.run([os.path.join(clone, "ops", script), *arguments], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HOLDFAST_BIN": binaries or os.path.dirname(built("lb"))})
    return done.returncode, done.stdout + done.stderr


def pids(clone):
    with open(os.path.join(clone, ".run/state.json")) as state:
        return [process["pid"] for process in json.load(state)["processes"].values()]


@pytest.mark.long
def test_up_twice_down_up_again_and_wipe(clone):
    code, out = run(clone, "up", "-d", "--no-build")
    assert code == 0, out
    assert re.search(r"^lb +http://127\.0\.0\.1:\d+ +\d+ +\S*lb\.log$", out, re.M), out
    url = re.search(r"^lb +(\S+)", out, re.M).group(1)
    status, link = create_link(url, "https://example.com/kept")
    assert status == 201
    first = pids(clone)
    assert len(first) == 7

    code, out = run(clone, "up", "-d", "--no-build")
    assert code == 0 and "It is up already" in out and pids(clone) == first

    code, out = run(clone, "down")
    assert code == 0 and "stopped lb, app1, app2, worker, redis, replica, primary" in out
    assert all(start_time(pid) is None for pid in first)

    code, out = run(clone, "up", "-d", "--no-build")
    assert code == 0, out
    url = re.search(r"^lb +(\S+)", out, re.M).group(1)
    assert follow_once(f"{url}/{link['shortCode']}") == (302, "https://example.com/kept"), "the data was left"

    second = pids(clone)
    os.kill(second[0], 9)  # a crash: the state on disk is stale
    code, out = run(clone, "up", "-d", "--no-build")
    assert code == 0 and "It is up already" not in out, out

    code, out = run(clone, "down", "--wipe")
    assert code == 0 and not os.path.exists(os.path.join(clone, ".run"))
    assert run(clone, "down")[0] == 0, "nothing to stop is no error"


@pytest.mark.long
def test_with_monitoring_prometheus_reaches_every_part_and_all_of_it_ends_with_down(clone):
    shutil.copytree(os.path.join(ROOT, "config"), os.path.join(clone, "config"))
    code, out = run(clone, "up", "-d", "--no-build", "--with-monitoring")
    assert code == 0, out
    where = re.search(r"^prometheus +(http://\S+)", out, re.M).group(1)
    with open(os.path.join(clone, ".run/env")) as names:
        assert f"PROMETHEUS={where}\n" in names.read()
    begun = pids(clone)
    assert len(begun) == 11 and "alarms.jsonl" in out
    deadline = time.monotonic() + patient(60)
    up = set()
    while up != {"lb", "app1", "app2", "worker", "prometheus", "alertmanager", "node"} and time.monotonic() < deadline:
        with urllib.request.urlopen(f"{where}/api/v1/query?query=up==1", timeout=patient(5)) as answer:
            up = {one["metric"]["instance"] for one in json.loads(answer.read())["data"]["result"]}
        time.sleep(0.2)
    assert up == {"lb", "app1", "app2", "worker", "prometheus", "alertmanager", "node"}
    code, out = run(clone, "down")
    assert code == 0 and "stopped prometheus, alertmanager, node, alarms, lb" in out
    assert all(start_time(pid) is None for pid in begun)


@pytest.mark.long
def test_a_failure_names_its_step_shows_the_log_and_cleans_up(clone, tmp_path):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    shutil.copy(built("lb"), binaries / "lb")
    fake = binaries / "shortener"
    fake.write_text("#!/bin/sh\necho 'the reason why' >&2\nexit 1\n")
    fake.chmod(0o755)
    code, out = run(clone, "up", "-d", "--no-build", binaries=str(binaries))
    assert code == 1
    assert "migrate failed" in out and "the reason why" in out
    assert not os.path.exists(os.path.join(clone, ".run/state.json"))
    left = subprocess.run(["pgrep", "-f", clone], capture_output=True, text=True).stdout.split()
    assert not left, "nothing that was started is left"


def test_help_everywhere():
    for script in ("up", "down", "test", "drill", "install", "check-debian13"):
        done = subprocess.run([os.path.join(ROOT, "ops", script), "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and len(done.stdout) > 60, (script, done)
