"""docs/ops/queue-backed-up.md is true: every command of it is run, in its order, in the state that it is for, and prints lines
that begin with the words that the page shows."""
import os
import re
import signal
import struct
import subprocess

import pytest
from conftest import ROOT
from stack.programs import built
from stack.process import wait_until
from system.instances import shortener
from system.test_api import call, create
from system.test_dead_letters import record
from system.test_queue import add
from system.test_stack import whole  # noqa: F401
from system.upstream import eventually

PAGE = os.path.join(ROOT, "docs", "ops", "queue-backed-up.md")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Lines that stand for what happens to be there.
SOME = re.compile(r"^(vm|LOOK|worker|[\d,]+ waiting|\d+$|\d+-\d+ )")


def steps():
    """Each command of the page with the lines that it shows."""
    with open(PAGE) as page:
        blocks = re.findall(r"```console\n(.*?)```", page.read(), re.S)
    found = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line:
            found[-1][1].append(line)
    return found


def plain(line):
    """What of a line does not change from day to day: its first column, heads whole, numbers and ids taken out."""
    line = ID.sub("ID", line)
    if line.isupper():
        return " ".join(line.split())
    return re.sub(r"[\d.,]+", "#", re.split(r"  +", line)[0])


@pytest.fixture
def broken(whole):
    """The worker is dead, clicks wait, two of them are poison."""
    code = create(whole)["shortCode"]
    whole.primary.sql("DELETE FROM dead_clicks")
    assert shortener(whole, "maintain")[2] == 0
    head = struct.pack("<B16sQQI", 1, os.urandom(16), 1, 1, 2)
    add(whole.redis, "holdfast:clicks", head + record(b"\xff\xfe", "t.co") + record(b"caf\xe9", "t.co"))
    eventually(lambda: whole.primary.sql("SELECT count(*) FROM dead_clicks") == "2", 30)
    whole.worker.kill()
    for _ in range(5):
        assert call(whole.apps[0].port, "GET", f"/{code}")[0] == 302
    yield whole
    whole.primary.sql("DELETE FROM dead_clicks; UPDATE click_control SET is_paused = false, why = ''")
    if not whole.worker.process.is_running():
        whole.worker.start()


@pytest.mark.long
def test_every_command_of_the_page_works_and_prints_what_it_shows(broken, tmp_path):
    env = {**os.environ, **broken.app_env(), "PATH": os.path.dirname(built("shortener")) + ":" + os.environ["PATH"]}
    workers = []
    assert len(steps()) >= 12
    try:
        for command, wanted in steps():
            if " show " in command:
                command = ID.sub(broken.primary.sql("SELECT id FROM dead_clicks ORDER BY first_seen LIMIT 1"), command)
            if " peek " in command:
                # As the page says, a second after the pause nothing is stored any more.
                paused = "SELECT is_paused AND changed_at < now() - interval '2 s' FROM click_control"
                wait_until(lambda: broken.primary.sql(paused) == "t", 20, "it is not paused")
                for _ in range(5):  # clicks of which a peek has something to show
                    call(broken.apps[0].port, "GET", "/" + create(broken)["shortCode"])
                wait_until(lambda: "1" <= broken.redis.command("XLEN", "holdfast:clicks")[1:2] <= "9", 20, "nothing waits")
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, env=env, cwd=tmp_path)
            if "echo $!" in command:
                workers.append(int(done.stdout.split()[-1]))
            assert done.returncode in (0, 1), f"{command}: {done.stdout}{done.stderr}"
            there = {plain(line) for line in (done.stdout + done.stderr).splitlines()}
            for line in wanted:
                assert SOME.match(line) or plain(line) in there, f"{command} prints no line such as\n{line}\nbut\n{done.stdout}{done.stderr}"
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGTERM)


def test_what_the_page_points_to_is_there():
    with open(PAGE) as page:
        text = page.read()
    heads = {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.M)}
    for anchor in re.findall(r"\]\(#([^)]*)\)", text):
        assert anchor in heads, anchor
    with open(os.path.join(ROOT, "config", "alerts-clicks.yml")) as rules:
        for name in re.findall(r"- alert: (\w+)", rules.read()):
            assert name in text, f"the page does not speak of {name}"
