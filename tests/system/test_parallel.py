"""tests/parallel.py: each test runs once, those that share a fixture together, and those that run alone at the end."""
import collections
import os
import subprocess
import sys

from stack.patience import patient
from stack.programs import ROOT

CONFTEST = """
import os, sys, time, pytest
sys.path.insert(0, {tests!r})
from parallel import pytest_collection_finish, pytest_configure_node, pytest_xdist_make_scheduler

@pytest.fixture(autouse=True)
def noted(request):
    def note(what):
        with open({log!r}, "a", buffering=1) as log:
            log.write(f"{{what}} {{request.node.name}} {{os.environ['PYTEST_XDIST_WORKER']}}\\n")
    note("begin")
    time.sleep(0.01)
    yield
    note("end")

@pytest.fixture(scope="session")
def shared_stack():
    pass
"""
TESTS = {
    "test_shared.py": """
import pytest
@pytest.fixture(scope="module")
def shared():
    pass
@pytest.mark.parametrize("number", range(5))
def test_shared(shared, number):
    pass
""",
    "test_rest.py": """
import os, pytest
@pytest.mark.alone("for this test")
@pytest.mark.parametrize("number", range(4))
def test_alone(number):
    pass
@pytest.mark.parametrize("number", range(8))
def test_stack(shared_stack, number):
    pass
@pytest.mark.parametrize("number", range(20))
def test_single(number):
    if number == {crashes}:
        os._exit(1)
""",
}


def run(folder, crashes=None):
    """Lines of the log, as (what, test, worker), and pytest's output."""
    log = str(folder / "log")
    (folder / "conftest.py").write_text(CONFTEST.format(tests=os.path.join(ROOT, "tests"), log=log))
    for name, text in TESTS.items():
        (folder / name).write_text(text.replace("{crashes}", str(crashes)))
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-c", os.path.join(ROOT, "pytest.ini"), "--rootdir", str(folder),
                           "-n", "4", str(folder)], cwd=folder, capture_output=True, text=True, timeout=patient(60))
    with open(log) as lines:
        return [line.split() for line in lines], done.stdout + done.stderr


def check(lines):
    workers = collections.defaultdict(set)
    for what, test, worker in lines:
        workers[test.split("[")[0]].add(worker)
    shared = [test for what, test, _ in lines if what == "begin" and test.startswith("test_shared")]
    assert len(workers["test_shared"]) == 1 and shared == sorted(shared)
    assert len(workers["test_single"]) > 1
    alone = lines[next(number for number, line in enumerate(lines) if line[1].startswith("test_alone")):]
    assert [what for what, _, _ in alone] == ["begin", "end"] * 4
    assert all(test.startswith("test_alone") for _, test, _ in alone)
    return workers


def test_every_test_runs_once_and_those_that_run_alone_at_the_end(tmp_path):
    lines, out = run(tmp_path)
    assert "37 passed" in out, out
    assert len(check(lines)["test_stack"]) <= 2, "half of the workers start the stack"


def test_the_tests_of_a_worker_that_crashed_are_run_by_another(tmp_path):
    lines, out = run(tmp_path, crashes=7)
    assert "1 failed, 36 passed" in out and "crashed while running" in out, out
    check(lines)
