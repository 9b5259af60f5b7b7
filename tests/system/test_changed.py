"""What `ops/test --changed` chooses, in a small tree and in the real one."""
import os
import re
import shutil
import subprocess

import changed
import pytest
from changed import Tree, plan
from conftest import ROOT

SMALL = {
    "tests/unit/layers_test.cpp": """
const std::vector<Room> kRooms{
    {"lb/main", {"lb/control"}},
    {"lb/control",
     {"lb/dns", "lb/balance"}},
    {"lb/dns", {"lb/pool"}},  // names
    {"lb/balance", {"lb/pool"}},
    {"lb/pool", {"common"}},
    {"lb/pool/rules", {"common"}},
    {"app/main", {"app/check"}},
    {"app/check", {"app/links"}},
    {"app/links", {"common"}},
    {"common/net", {"common/log"}},
    {"common/log", {}},
};
""",
    "tests/unit/main.cpp": "",
    "tests/unit/allocation_test.cpp": "",
    "tests/unit/lb/dns/names_test.cpp": '#include "lb/dns/names.h"\n',
    "tests/unit/lb/balance/policy_test.cpp": '#include "lb/balance/policy.h"\n',
    "tests/unit/lb/pool/state_test.cpp": '#include "lb/pool/state.h"\n',
    "tests/unit/lb/control_test.cpp": '#include "lb/control.h"\n',
    "tests/unit/app/links/link_test.cpp": '#include "app/links/link.h"\n',
    "tests/unit/common/net/stream_test.cpp": '#include "common/net/stream.h"\n',
    "tests/unit/common/log_test.cpp": '#include "common/log.h"\n',
    "tests/conftest.py": 'import sys\nsys.path[:0] = [os.path.join(ROOT, "ops"), os.path.join(ROOT, "tests")]\nfrom stack.stack import Stack\n',
    "ops/stack/__init__.py": "",
    "ops/stack/stack.py": "from . import ports\nfrom .process import Process\n",
    "ops/stack/ports.py": "",
    "ops/stack/process.py": "",
    "ops/stack/up.py": 'CONFIG = os.path.join(ROOT, "config")\n',
    "tests/system/__init__.py": "",
    "tests/system/helper.py": 'PAGE = os.path.join(ROOT, "docs/kubernetes.md")\n',
    "tests/system/unused.py": "",
    "tests/system/test_lb_dns.py": "",
    "tests/system/test_lb_retry.py": "from system.test_lb_dns import ask\n",
    "tests/system/test_api.py": "from system import helper\n",
    "tests/system/test_docs.py": 'open(f"{ROOT}/docs/config.md")\nopen(os.path.join(ROOT, "README.md"))\n',
    "tests/system/test_ops.py": 'shutil.copytree(os.path.join(ROOT, "ops"), "x")\nglob.glob(os.path.join(ROOT, "docs/ops/*.md"))\n',
    "tests/system/test_stack.py": "",
    "tests/drills/__init__.py": 'DOCUMENT = os.path.join(ROOT, "docs/report.md")\n',
    "tests/drills/test_drills.py": "from drills import ALL\n",
    "tests/drills/test_soak.py": "from . import ALL\n",
    "tests/alerts/test_alerts.py": 'CONFIG = os.path.join(ROOT, "config")\n',
}
LB = {"lb_dns", "lb_retry", "stack", "drills/drills", "alerts/alerts"}
APP = {"api", "docs", "ops", "stack", "drills/drills", "alerts/alerts"}
ALL = LB | APP | {"drills/soak"}

CASES = [
    # path, unit tests, system tests
    ("lb/pool/state.cpp", "- lb lb/balance lb/dns lb/pool", LB),
    ("lb/balance/policy.h", "- lb lb/balance", LB),
    ("lb/dns/names.cpp", "- lb lb/dns", {"lb_dns", "stack"}),
    ("lb/control.cpp", "- lb", LB),
    ("lb/new/thing.cpp", "all", LB),
    ("app/links/link.h", "- app/links", APP),
    ("app/check.cpp", "-", {"stack"}),
    ("app/migrations/0001.sql", "- app/links", APP),
    ("common/log.cpp", "- app/links common common/net lb lb/balance lb/dns lb/pool", LB | APP),
    ("common/net/stream.h", "- app/links common/net lb lb/balance lb/dns lb/pool", LB | APP),
    ("tests/unit/lb/dns/names_test.cpp", "lb/dns", set()),
    ("tests/unit/lb/control_test.cpp", "lb", set()),
    ("tests/unit/layers_test.cpp", "-", set()),
    ("tests/unit/main.cpp", "all", set()),
    ("tests/bench/close_race.cpp", "-", set()),
    ("CMakeLists.txt", "all", "everything"),
    ("cmake/embed.cmake", "all", "everything"),
    ("tests/system/test_lb_retry.py", "", {"lb_retry"}),
    ("tests/system/test_lb_dns.py", "", {"lb_dns", "lb_retry"}),
    ("tests/system/helper.py", "", {"api"}),
    ("tests/system/unused.py", "all", "everything"),
    ("tests/conftest.py", "", ALL),
    ("ops/stack/ports.py", "", ALL),
    ("ops/stack/process.py", "", ALL),
    ("ops/stack/up.py", "", {"ops"}),
    ("ops/up", "", {"ops"}),
    ("docs/config.md", "", {"docs"}),
    ("README.md", "", {"docs"}),
    ("docs/kubernetes.md", "", {"api"}),
    ("docs/ops/soak.md", "", {"ops"}),
    ("docs/report.md", "", set()),
    ("docs/retry.md", "", set()),
    ("config/alerts.yml", "", {"alerts/alerts"}),
    ("configure", "all", "everything"),
    ("tests/fuzz/run", "", set()),
    (".ci/run", "", set()),
    ("a-new-thing", "all", "everything"),
]


def short(test):
    return re.sub(r"^(system/)?((?:\w+/)?)test_", r"\2", test.removeprefix("tests/").removesuffix(".py"))


@pytest.mark.parametrize("path, unit, system", CASES, ids=[case[0] for case in CASES])
def test_a_changed_file_runs_the_tests_that_may_notice(path, unit, system):
    chosen = plan([path], Tree(SMALL))
    expected = {"all": {changed.EVERY_UNIT}}.get(unit, {{"-": changed.ROOMLESS}.get(one, one + ":") for one in unit.split()})
    assert chosen.unit == expected
    assert chosen.system == set(changed.SUITES) if system == "everything" else {short(test) for test in chosen.system} == system
    assert [why[0] for why in chosen.why] == [path] and chosen.why[0][1]


def test_a_change_of_several_files_runs_what_each_of_them_runs():
    chosen = plan(["tests/system/helper.py", "docs/retry.md", "lb/dns/names.cpp"], Tree(SMALL))
    assert {short(test) for test in chosen.system} == {"api", "lb_dns", "stack"}
    assert chosen.unit_pattern() == "^[^:]*$|^lb/dns:|^lb:"
    assert plan([], Tree(SMALL)) == changed.Plan()


def test_everything_is_named_by_its_folders():
    chosen = plan(["CMakeLists.txt", "tests/system/test_api.py", "lb/pool/state.h"], Tree(SMALL))
    assert chosen.unit_pattern() == "." and chosen.system_arguments() == sorted(changed.SUITES)


@pytest.fixture(scope="module")
def tree():
    return changed.read_tree()


def test_the_rules_name_tests_and_rooms_that_there_are(tree):
    for patterns in [*changed.OF_PROGRAM.values(), *changed.OF_ROOM.values()]:
        for pattern in patterns:
            assert changed.matching(tree, [pattern.lstrip("!")]), pattern
    assert set(changed.OF_ROOM) <= set(tree.rooms)
    for room in changed.OF_ROOM:
        top = room.split("/")[0]
        tops = {f"{top}/control", f"{top}/main", f"{top}/preflight"}
        assert tree.users_of(room) <= {room} | tops, f"{room} has more users than the top rooms"


def test_unit_tests_outside_of_rooms_have_no_colon_in_their_names():
    with open(os.path.join(ROOT, changed.LAYERS)) as layers:
        names = re.findall(r'^TEST_CASE\("([^"]+)"', layers.read(), re.M)
    assert names and all(re.match(f"^{changed.ROOMLESS}", name) for name in names)


def test_every_source_stands_in_a_room(tree):
    for top in changed.OF_PROGRAM:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                assert not path.endswith((".h", ".cpp")) or tree.room_of(path) is not None, path


REAL = [("docs/api.md", "test_api_docs.py"), ("README.md", "test_install.py"), ("config/lb.yaml", "test_install.py"),
        ("docs/metrics.md", "test_metrics_docs.py"), ("docker-compose.yml", "test_compose.py"),
        ("ops/kubernetes/base/app.yaml", "test_kubernetes.py"), ("ops/systemd/shortener-maintain.timer", "test_queue.py"),
        ("config/alerts.yml", "test_alerts.py"), ("docs/ops/db-down.md", "test_runbooks.py"),
        ("tests/web/package.json", "test_api_page.py"), ("tests/system/http/battery.py", "test_lb_http.py"),
        ("tests/drills/checker.py", "test_checker.py"), ("ops/stack/up.py", "test_ops.py")]


@pytest.mark.parametrize("path, test", REAL)
def test_files_that_tests_read_or_import_are_found_in_the_sources(tree, path, test):
    assert test in {os.path.basename(one) for one in plan([path], tree).system}


def git(folder, *arguments):
    subprocess.run(["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments], check=True,
                   capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = tmp_path / "checkout"
    for name, text in {"CMakeLists.txt": "cmake_minimum_required(VERSION 3.25)\nproject(tiny NONE)\n",
                       "CMakePresets.json": '{"version": 6, "configurePresets": [{"name": "release", "generator": "Ninja", '
                       '"binaryDir": "${sourceDir}/build/${presetName}"}], '
                       '"buildPresets": [{"name": "release", "configurePreset": "release"}]}',
                       "docs/a.md": "", "docs/b.md": "", ".gitignore": "/build/\n__pycache__/\n",
                       "tests/system/test_tiny.py": "def test_it():\n    pass\n",
                       "tests/system/test_other.py": "def test_it():\n    assert False\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(changed.__file__, folder / "tests")
    shutil.copytree(os.path.join(ROOT, "ops"), folder / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    monkeypatch.setattr(changed, "ROOT", str(folder))
    return folder


def test_committed_uncommitted_removed_and_untracked_files_have_changed(repository):
    assert changed.changed_since(None)[1] == []
    (repository / "docs/new.md").write_text("")
    (repository / "docs/a.md").unlink()
    (repository / "build").mkdir()
    (repository / "build/ignored").write_text("")
    assert changed.changed_since(None)[1] == ["docs/a.md", "docs/new.md"]
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "second")
    (repository / "docs/b.md").write_text("changed")
    assert changed.changed_since(None)[1] == ["docs/a.md", "docs/b.md", "docs/new.md"], "since the branch left origin/main"
    assert changed.changed_since("HEAD")[1] == ["docs/b.md"]


def test_ops_test_runs_what_was_chosen_and_says_why(repository):
    def run(*arguments):
        done = subprocess.run([repository / "ops/test", "--changed", *arguments], capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    (repository / "docs/a.md").write_text("changed")
    code, out = run()
    assert code == 0 and "docs/a.md: no test of ops/test reads it" in out and "no test is touched" in out, out
    assert not (repository / "build").exists()

    (repository / "tests/system/test_tiny.py").write_text("def test_it():\n    print('tiny ran')\n")
    code, out = run("-s")
    assert code == 0 and "tests/system/test_tiny.py: itself" in out and "tiny ran" in out and "== unit tests" not in out, out

    git(repository, "commit", "-qam", "second")
    assert "no test is touched" in run()[1]
    code, out = run("HEAD~", "-s")
    assert code == 0 and "tiny ran" in out, out
