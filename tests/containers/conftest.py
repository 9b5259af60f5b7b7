"""An engine, the images, and the whole file running, once for all tests; all of it is gone afterwards, however they end."""
import contextlib
import os
import signal
import subprocess
import tempfile
import time

import pytest
from stack.process import Failed, wait_until
from stack.programs import ROOT

from . import images
from .engine import Engine
from .system import System

BEGUN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGUN:5.1f} s] {text}", flush=True)


def pytest_addoption(parser):
    parser.addoption("--where-possible", action="store_true", help="left out where an engine cannot run containers at all")


@contextlib.contextmanager
def needed(pytestconfig):
    """What an engine needs of the machine, which may not be there."""
    try:
        yield
    except Failed as failed:
        if not pytestconfig.getoption("--where-possible"):
            raise
        say(f"left out: no engine can run here: {failed}")
        pytest.skip("no engine can run here")


@pytest.fixture(scope="session")
def engine(pytestconfig):
    if os.getuid() != 0:
        pytest.skip("needs root, for an engine of its own")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up like Ctrl-C
    folder = tempfile.mkdtemp(prefix="holdfast-containers-", dir="/tmp")  # short, as the path of a socket must be
    one = Engine(folder)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        try:
            yield one
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            one.stop()
            one.remove()


@pytest.fixture(scope="session")
def system(pytestconfig, engine):
    secrets = os.path.join(engine.folder, "env")
    subprocess.run([os.path.join(ROOT, "ops/container/make-env"), secrets], check=True, capture_output=True)
    whole = System(engine, secrets)
    say("an engine that builds")
    with needed(pytestconfig):
        engine.start(has_network=False)
    images.make_base(engine, say)
    with needed(pytestconfig):
        engine.docker("run", "--rm", "--network", "none", images.BASE, "true")
    whole.took = {"our image": images.build(engine, images.named(whole.understood()), say)}
    engine.stop()
    say("an engine that runs")
    with needed(pytestconfig):
        engine.start(has_network=True)
    go_back = engine.enter_network()
    try:
        say("docker-compose up")
        begun = time.monotonic()
        whole.compose("up", "-d", "--no-build")
        wait_until(lambda: all(each.is_well() for each in whole.containers()), 300, "not all of them are well")
        whole.took["up"] = time.monotonic() - begun
        say("all of it is well")
        yield whole
    except BaseException:
        print(whole.compose("ps"), whole.compose("logs", "--tail=20"))
        raise
    finally:
        go_back()
