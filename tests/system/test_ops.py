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
from stack.up import Progress


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
    done = subprocess.run([os.path.join(clone, "ops", script), *arguments], capture_output=True, text=True, timeout=patient(120),
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


CHECKOUT = {
    "CMakePresets.json": json.dumps({"version": 6, "configurePresets": [
        {"name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/${presetName}"}],
        "buildPresets": [{"name": "release", "configurePreset": "release"}]}),
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.25)\nproject(tiny NONE)\n"
                      "foreach(name lb shortener)\n  add_custom_target(${name} ALL COMMAND true)\nendforeach()\n"}


def make_checkout(path):
    """Makes `path` a checkout whose build takes no time; HOLDFAST_BIN has the programs."""
    for name, text in CHECKOUT.items():
        with open(os.path.join(path, name), "w") as file:
            file.write(text)


@pytest.fixture
def copy(clone):
    """copy() copies the checkout by `cp -r` and returns where the copy is."""
    path = tempfile.mkdtemp(prefix="holdfast-copy-")
    os.chmod(path, 0o755)

    def make():
        subprocess.run(["cp", "-r", clone + "/.", path], capture_output=True)  # files of a running database may vanish meanwhile
        return path

    yield make
    subprocess.run([os.path.join(path, "ops/down"), "--wipe"], capture_output=True, timeout=60)
    shutil.rmtree(path, ignore_errors=True)


def cached(checkout, name):
    with open(os.path.join(checkout, "build/release/CMakeCache.txt")) as cache:
        found = re.search(rf"^{name}:\w+=(.*)$", cache.read(), re.M)
    return found and found.group(1)


def test_a_copied_build_folder_is_configured_afresh_and_ones_own_is_not(clone, copy, tmp_path):
    make_checkout(clone)
    assert run(clone, "configure", "release", "-DKEPT=yes")[0] == 0
    assert run(clone, "configure", "release")[0] == 0 and cached(clone, "KEPT") == "yes"
    link = tmp_path / "link"
    link.symlink_to(clone)
    assert run(str(link), "configure", "release")[0] == 0 and cached(clone, "KEPT") == "yes", "the same one by another path"

    other = copy()
    code, out = run(other, "configure", "release")
    assert code == 0, out
    assert cached(other, "CMAKE_HOME_DIRECTORY") == other and cached(other, "KEPT") is None


@pytest.mark.long
def test_a_checkout_copied_while_it_is_up_comes_up_beside_it(clone, copy):
    make_checkout(clone)
    assert run(clone, "up", "-d")[0] == 0
    first = pids(clone)
    other = copy()

    code, out = run(other, "down")
    assert code == 0 and "nothing was running" in out, out
    code, out = run(other, "up", "-d")
    assert code == 0 and "It is up already" not in out and clone + "/.run" in out, out
    second = pids(other)
    assert not set(first) & set(second)
    code, out = run(other, "up", "-d")
    assert code == 0 and "It is up already" in out and pids(other) == second

    code, out = run(other, "down", "--wipe")
    assert code == 0 and "stopped lb, app1, app2, worker, redis, replica, primary" in out
    assert all(start_time(pid) is None for pid in second)
    assert all(start_time(pid) is not None for pid in first), "the original is none of the copy's business"
    code, out = run(clone, "up", "-d")
    assert code == 0 and "It is up already" in out and pids(clone) == first


def test_wiping_a_copy_leaves_the_data_of_the_original_where_a_link_leads_to_it(clone, copy, tmp_path):
    run_folder = os.path.join(clone, ".run")
    data = tmp_path / "data"
    data.mkdir()
    os.mkdir(run_folder)
    with open(os.path.join(run_folder, "checkout"), "w") as home:
        home.write(run_folder)
    os.symlink(data, os.path.join(run_folder, "data"))
    other = copy()
    assert os.path.islink(os.path.join(other, ".run/data"))
    assert run(other, "down", "--wipe")[0] == 0
    assert data.exists() and not os.path.exists(os.path.join(other, ".run"))
    assert run(clone, "down", "--wipe")[0] == 0
    assert not data.exists(), "it goes with its own checkout"


@pytest.mark.long
def test_a_checkout_that_was_moved_keeps_its_data(clone, tmp_path):
    code, out = run(clone, "up", "-d", "--no-build")
    assert code == 0, out
    status, link = create_link(re.search(r"^lb +(\S+)", out, re.M).group(1), "https://example.com/kept")
    assert status == 201
    assert run(clone, "down")[0] == 0
    moved = clone + "-moved"
    os.rename(clone, moved)
    try:
        code, out = run(moved, "up", "-d", "--no-build")
        assert code == 0, out
        url = re.search(r"^lb +(\S+)", out, re.M).group(1)
        assert follow_once(f"{url}/{link['shortCode']}") == (302, "https://example.com/kept")
    finally:
        run(moved, "down")
        os.rename(moved, clone)


@pytest.mark.parametrize("broken, reason", [("message(FATAL_ERROR the-reason)", "the-reason"),
                                            ("add_custom_target(broken ALL COMMAND echo the-reason && false)", "the-reason")])
def test_a_build_that_fails_shows_the_end_of_its_log(clone, broken, reason):
    make_checkout(clone)
    with open(os.path.join(clone, "CMakeLists.txt"), "a") as file:
        file.write(broken + "\nadd_dependencies(lb broken)\n")
    code, out = run(clone, "up", "-d")
    assert code == 1 and "build.log" in out and reason in out.split("build.log", 1)[1], out


def test_help_everywhere():
    for script in ("up", "down", "test", "configure", "drill", "install", "check-debian13"):
        done = subprocess.run([os.path.join(ROOT, "ops", script), "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and len(done.stdout) > 60, (script, done)


def test_a_build_says_each_tenth_of_its_files_if_output_is_no_terminal():
    said = []
    progress = Progress(said.append)
    for line in ["Re-checking globbed directories...", *(f"[{done}/185] Building CXX object x.o" for done in range(1, 186))]:
        progress.tell(line)
    progress.end()
    assert said[:2] == ["built 19 of 185 files", "built 37 of 185 files"]
    assert len(said) == 10 and said[-1] == "built 185 of 185 files"


def test_a_build_of_a_few_files_says_nothing():
    said = []
    progress = Progress(said.append)
    for done in range(1, 20):
        progress.tell(f"[{done}/19] Building CXX object x.o")
    assert said == []
