"""Makes ops/stack and tests/drills importable, and gives every test its servers.

A server belongs to the test (or session) that started it, and is ended with it, by pid. When a test fails, the logs of
its servers are shown.
"""
import contextlib
import ctypes
import os
import signal
import sys
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "ops"), os.path.join(ROOT, "tests")]

from parallel import pytest_collection_finish, pytest_configure_node, pytest_xdist_make_scheduler  # noqa: E402 F401
from stack import patience  # noqa: E402
from stack.process import descendants, tail  # noqa: E402
from stack.programs import Lb, path_of  # noqa: E402
from stack.stack import Stack, patient_timeouts  # noqa: E402
from system.upstream import Upstream  # noqa: E402


PR_SET_CHILD_SUBREAPER = 36


def is_worker(config):
    return hasattr(config, "workerinput")


def pytest_configure(config):
    """Prepares what pytest_unconfigure() ends: orphans become our children, and temporary folders are made in one of ours."""
    if is_worker(config):
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # tmp_path stays, for those who read its logs
    config.folder = tempfile.TemporaryDirectory(prefix="holdfast-tests-", ignore_cleanup_errors=True)
    os.chmod(config.folder.name, 0o755)
    os.environ["TMPDIR"] = tempfile.tempdir = config.folder.name
    if patience.NAME not in os.environ:
        jobs = len(config.getoption("tx", [])) or 1
        os.environ[patience.NAME] = str(patience.measure(path_of("lb"), jobs, os.cpu_count()))


def pytest_sessionstart(session):
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"patience: {patience.factor():g} ({patience.NAME})")


def pytest_unconfigure(config):
    """Ends what an interrupted run, or a test that failed badly, has left."""
    if is_worker(config):
        return
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    config.folder.cleanup()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.has_failed = report.failed


def show_logs(request, processes):
    if getattr(request.node, "has_failed", False):
        for process in processes:
            print(f"--- {process.name}: the end of {process.log}\n{tail(process.log, 40)}")


@pytest.fixture(scope="session")
def shared_stack():
    """The whole system, once for all tests; each test leaves it whole."""
    with tempfile.TemporaryDirectory(prefix="holdfast-test-") as folder:
        os.chmod(folder, 0o755)
        stack = Stack(folder, is_durable=False, env=patient_timeouts()).start()
        yield stack
        stack.stop()


@pytest.fixture
def stack(request, shared_stack):
    """The whole system, running and well when the test begins."""
    for process in shared_stack.processes():
        assert process.is_running(), f"{process.name} was left dead by an earlier test"
    yield shared_stack
    show_logs(request, shared_stack.processes())


@pytest.fixture
def start_lb(request, tmp_path):
    """start_lb(yaml) runs lb; `listen` and `admin` are added where they are missing, on free ports."""
    started = []

    def start(text, **options):
        if "listen:" not in text.split("admin:")[0]:
            text = "listen: 127.0.0.1:0\n" + text
        if "admin:" not in text:
            text += "\nadmin: {listen: 127.0.0.1:0}\n"
        lb = Lb(text, str(tmp_path), name=f"lb{len(started)}", **options)
        started.append(lb)
        return lb.start()

    yield start
    show_logs(request, [lb.process for lb in started])
    for lb in started:
        was_running = lb.process.is_running()
        code = lb.stop()
        if was_running and not getattr(request.node, "has_failed", False):
            assert code == 0 or lb.process.popen is None, f"lb ended with {code}:\n{tail(lb.process.log, 40)}"


@pytest.fixture
def upstream():
    """upstream(answer) starts a scripted server; see system/upstream.py."""
    started = []

    def start(answer=None, **options):
        one = Upstream(answer, **options)
        started.append(one)
        return one

    yield start
    for one in started:
        one.close()
