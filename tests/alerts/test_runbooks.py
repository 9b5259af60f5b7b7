"""The system watched by Prometheus and Alertmanager: an alarm reaches its webhook, and the runbooks' commands work.

In a runbook a block marked `sh` only looks, and is run on a system that is well; `sh promote` is run, in its order, where
the primary has been killed.
"""
import glob
import os
import re
import signal
import subprocess
import tempfile

import pytest
from stack.programs import ROOT
from stack.process import as_user, wait_until
from stack.stack import Stack, create_link, follow_once, patient_timeouts

from . import test_alerts

PAGES = sorted(glob.glob(os.path.join(ROOT, "docs/ops/*.md")))


def system(**kind):
    folder = tempfile.TemporaryDirectory(prefix="holdfast-test-")
    os.chmod(folder.name, 0o755)
    return folder, Stack(folder.name, is_durable=False, env=patient_timeouts(), **kind).start()


@pytest.fixture(scope="module")
def watched():
    folder, stack = system(with_monitoring=True)
    with folder:
        yield stack
        stack.stop()


def commands(page, kind):
    with open(page) as text:
        return re.findall(rf"^```{kind}\n(.*?)^```$", text.read(), re.M | re.S)


def run(stack, command, **more):
    done = subprocess.run(["bash", "-eu", "-c", command], capture_output=True, text=True, timeout=60, cwd="/",
                          env={**os.environ, **stack.names(), **more}, **as_user(stack.user))
    assert done.returncode == 0 and "error" not in done.stderr.lower(), f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_an_alarm_comes_to_the_webhook_with_its_figures_and_is_taken_back(watched):
    wanted = {("lb", "lb"), ("shortener", "app1"), ("shortener", "app2"), ("shortener-worker", "worker"),
              ("prometheus", "prometheus"), ("alertmanager", "alertmanager"), ("node", "node")}
    wait_until(lambda: watched.monitoring.scraped() == wanted, 60, "Prometheus does not reach all of them")

    def told(status):
        return [line for line in watched.monitoring.told() if line["alert"] == "RedisDown" and line["status"] == status]
    watched.redis.kill()
    try:
        wait_until(lambda: told("firing"), 120, "no alarm came")
        assert told("firing")[0]["severity"] == "page" and "all 2 instances" in told("firing")[0]["summary"]
        assert not told("resolved")
    finally:
        watched.redis.start()
    wait_until(lambda: told("resolved"), 120, "the alarm is not taken back")
    assert watched.redis.is_ready()


def test_what_alarms_read_of_prometheus_alertmanager_and_the_node_is_there(watched):
    wanted = {name for rule in test_alerts.rules() for name in test_alerts.selectors(rule["expr"])
              if name.startswith(("prometheus_", "alertmanager_", "node_"))}
    numbers = watched.monitoring.numbers
    there = {name for one in ("prometheus", "alertmanager", "node") for name, _ in test_alerts.samples(test_alerts.read(numbers[one]))}
    assert len(wanted) >= 4 and wanted <= there, wanted - there


def test_a_configuration_that_is_refused_raises_an_alarm(watched):
    with open(watched.lb.config) as kept:
        text = kept.read()

    def told(status):
        return [line for line in watched.monitoring.told() if line["alert"] == "ConfigReloadFailed" and line["status"] == status]
    try:
        with open(watched.lb.config, "w") as broken:
            broken.write(text + "\nlisten_to: nobody\n")
        os.kill(watched.lb.process.pid, signal.SIGHUP)
        wait_until(lambda: told("firing"), 120, "no alarm came")
        assert told("firing")[0]["severity"] == "ticket" and told("firing")[0]["labels"]["job"] == "lb"
    finally:
        with open(watched.lb.config, "w") as mended:
            mended.write(text)
        os.kill(watched.lb.process.pid, signal.SIGHUP)
    wait_until(lambda: told("resolved"), 120, "the alarm is not taken back")


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_the_commands_of_a_runbook_that_look_work(watched, page):
    status, link = create_link(watched.url(), "https://example.com/")
    assert status == 201 and follow_once(f"{watched.url()}/{link['shortCode']}")[0] == 302
    for command in commands(page, "sh"):
        run(watched, command)


@pytest.mark.long
def test_the_promotion_works_step_by_step_as_the_runbook_says():
    folder, stack = system(fails_over=True)
    with folder:
        try:
            before = create_link(stack.url(), "https://example.com/before")[1]["shortCode"]
            stack.primary.kill()
            note, write, rebuild = commands(os.path.join(ROOT, "docs/ops/db-down.md"), "sh promote")
            assert run(stack, note).splitlines()[1:] == ["t", "f"]
            assert run(stack, write) == "201\n"
            assert follow_once(f"{stack.url()}/{before}") == (302, "https://example.com/before")
            path = f"{os.path.dirname(stack.primary.process.arguments[0])}:{os.environ['PATH']}"
            run(stack, rebuild, OLD_DATA=stack.primary.data, PATH=path)
            stack.primary.start()
            wait_until(lambda: stack.replica.sql("SELECT state FROM pg_stat_replication") == "streaming", 30,
                       "the new replica does not follow")
            assert stack.primary.sql("SELECT pg_is_in_recovery()") == "t"
        finally:
            stack.stop()


def test_the_pages_link_to_pages_that_exist():
    for page in PAGES:
        with open(page) as text:
            for target in re.findall(r"\]\(([^)#:]+)\)", text.read()):
                assert os.path.exists(os.path.join(os.path.dirname(page), target)), f"{page} links to {target}"
