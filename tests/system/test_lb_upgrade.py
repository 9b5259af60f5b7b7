"""An upgrade: the binary that is there by now takes over what listens, and the old one drains; nobody notices."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

from stack.ports import free_port
from stack.programs import built
from system.upstream import Client, ask, eventually, response


def test_requests_under_way_end_and_the_new_process_serves_the_same_ports(start_lb, upstream):
    release = []

    def hold(connection):
        eventually(lambda: release)
        connection.sendall(response(body=b"held"))
    server = upstream(lambda request: hold if request.target == "/held" else response(body=b"ok"))
    lb = start_lb(f"workers: 2\nupstreams: ['{server.address}']\nhealth: {{uri: /health, interval: 50ms}}\n")
    client, idle, fresh = (Client(lb.public, 20) for _ in range(3))
    assert idle.get()[2] == b"ok"
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.requests)
    old = lb.upgrade()
    assert ask(lb.public)[2] == b"ok" and old.is_running()
    assert idle.get()[2] == b"ok" and fresh.get()[2] == b"ok", "who was connected has one more request"
    assert json.loads(lb.get_admin("/ledger"))["answered"] == 1, "the admin port is the new one's"
    release.append(True)
    status, fields, body = client.response()
    assert (status, body) == (200, b"held") and fields["connection"] == "close"
    assert old.wait(20) == 0 and lb.process.is_running()
    assert ask(lb.public)[2] == b"ok" and "ready" in lb.get_admin("/readyz")


def test_nobody_notices_ten_upgrades_under_load(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"workers: 2\nupstreams: ['{server.address}']\nhealth: {{uri: /health, interval: 50ms}}\n")
    wrong, answered, is_over = [], [], threading.Event()

    def run():
        while not is_over.is_set():
            try:
                # New connections above all: those are what a closed socket would lose.
                (answered if ask(lb.public)[0] == 200 else wrong).append(1)
            except Exception as failure:  # noqa: BLE001
                wrong.append(repr(failure))
    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            lb.upgrade()
            before = len(answered)
            eventually(lambda: len(answered) >= before + 20 or wrong)
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)
    assert not wrong and len(answered) > 200
    assert len(server.requests) == len(answered)
    eventually(lambda: lb.process.log_text().count("info stopped") == 10, seconds=30)
    assert lb.process.log_text().count(" 0 cut, 0 local errors") == 10


def test_a_new_one_that_does_not_come_up_changes_nothing(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"workers: 2\nupstreams: ['{server.address}']\n")
    with open(lb.config) as kept:
        text = kept.read()
    for number, (broken, why) in enumerate(((text + "nonsense: 1\n", "exit code 1"),
                                            (text.replace("workers: 2", "workers: 1"), "exit code 1"))):
        with open(lb.config, "w") as out:
            out.write(broken)
        os.kill(lb.process.pid, signal.SIGUSR2)
        eventually(lambda: lb.process.log_text().count("error not upgraded") == number + 1, seconds=30)
        assert why in lb.process.log_text() and ask(lb.public)[0] == 200
    assert "inherited sockets are left over count=1" in lb.process.log_text()
    with open(lb.config, "w") as out:
        out.write(text)


def test_the_binary_that_is_there_by_then_is_started(start_lb, upstream, tmp_path):
    binary = tmp_path / "lb"
    shutil.copy(built("lb"), binary)
    lb = start_lb(f"upstreams: ['{upstream().address}']\n", binary=str(binary))
    binary.unlink()
    os.kill(lb.process.pid, signal.SIGUSR2)
    lb.process.wait_for_log("error not upgraded")
    binary.write_text("#!/bin/sh\necho the new one\nexit 7\n")
    binary.chmod(0o755)
    os.kill(lb.process.pid, signal.SIGUSR2)
    lb.process.wait_for_log("exit code 7")
    assert "the new one" in lb.process.log_text() and ask(lb.public)[0] == 200


def test_sockets_that_systemd_has_opened_are_taken(upstream, tmp_path):
    """As a socket unit: connections wait in its queue until lb is there, and across a restart."""
    server = upstream(lambda request: response(body=b"ok"))
    listening = socket.create_server(("127.0.0.1", 0), backlog=16)
    port = listening.getsockname()[1]
    config = tmp_path / "lb.yaml"
    config.write_text(f"listen: 127.0.0.1:{port}\nworkers: 1\nadmin: {{listen: 127.0.0.1:{free_port()}}}\n"
                      f"upstreams: ['{server.address}']\n")
    waiting = Client(port, 20)
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    for _ in range(2):
        # A shell knows its own pid, and stays it.
        lb = subprocess.Popen(["bash", "-c", f"exec env LISTEN_PID=$$ LISTEN_FDS=1 {built('lb')} run --config {config} 3<&{listening.fileno()}"],
                              pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL)
        try:
            assert waiting.response()[2] == b"ok"
        finally:
            lb.send_signal(signal.SIGTERM)
            assert lb.wait(20) == 0
        waiting = Client(port, 20)
        waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    waiting.close()
    listening.close()
