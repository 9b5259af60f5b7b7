"""A configuration that is wrong says where and what is allowed, and lb does not start; ports in use likewise."""
import os
import re
import signal
import socket
import subprocess

import pytest
from stack.ports import free_port
from stack.programs import ROOT, built
from system.upstream import Upstream, ask, eventually


def check(tmp_path, text, *arguments):
    path = tmp_path / "lb.yaml"
    path.write_text(text)
    done = subprocess.run([built("lb"), "check", str(path), *arguments], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr.replace(str(tmp_path) + "/", "")


WRONG = [
    ("listen: [\n", "lb.yaml:2:1: not valid YAML"),
    ("- a\n", "lb.yaml:1:1: the file: not a section"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nhealth: {interval: 5}\n",
     "lb.yaml:3:20: health.interval: '5': not a duration; allowed: a duration such as 250ms"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nretry:\n  deadlin: 5s\n",
     "lb.yaml:4:3: retry.deadlin: unknown key, did you mean 'deadline'?; allowed: deadline, per_try, budget, prove_undelivered, assign_idempotency_key, idempotency_probe, statuses, body_buffer"),
    ("listen: 127.0.0.1:1\nupstreams: 5\n", "lb.yaml:2:12: upstreams: not a list; allowed: "),
    ("listen: 127.0.0.1:1\nupstreams: [nonsense]\n", "lb.yaml:2:13: upstreams[0]: 'nonsense': no port"),
    ("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\nupstreams: [127.0.0.1:2]\n", "lb.yaml:2:1: listen: given twice"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2, 127.0.0.1:2]\n", "two servers are called"),
    ("upstreams: [127.0.0.1:2]\n", "listen: missing"),
    ("listen: 127.0.0.1:1\n", "upstreams: missing"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nlimits: {request_head: 1GiB}\n", "limits.request_head: '1GiB': out of range"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nlb_policy: fair\n", "policy: 'fair': no such policy; allowed: round_robin"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nhealth:\n  follow_redirects: yes\n",
     "lb.yaml:4:21: health.follow_redirects: 'yes': redirects are never followed: name the last one's path as health.uri"),
    ("listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nhealth: {headers: {Content-Length: 5}}\n", "lb's own business"),
    ("listen: 127.0.0.1:1\nupstreams: [no-such-name.invalid:80]\ndns_refresh: 0s\n",
     "'no-such-name.invalid:80': the name has no address"),
]


@pytest.mark.parametrize("text, expected", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_a_wrong_configuration_is_told_with_its_place(tmp_path, text, expected):
    code, out, errors = check(tmp_path, text)
    assert code == 1 and out == ""
    assert expected in errors, errors


def test_a_name_that_may_get_an_address_yet_is_no_error(tmp_path):
    code, out, errors = check(tmp_path, "listen: 127.0.0.1:1\nupstreams: [no-such-name.invalid:80]\n")
    assert code == 0 and out.endswith(": well\n")
    assert errors.startswith("warning: ") and "upstreams: 'no-such-name.invalid:80': the name has no address" in errors


def test_all_errors_are_told_at_once(tmp_path):
    code, _, errors = check(tmp_path, "listen: x\nworkers: many\nfoo: 1\nupstreams: [a]\n")
    assert code == 1 and len(errors.strip().splitlines()) >= 4, errors


def test_the_smallest_file_is_well_and_its_dump_is_well_too(tmp_path):
    code, out, _ = check(tmp_path, "listen: 127.0.0.1:8080\nupstreams: [127.0.0.1:3001, 127.0.0.1:3002]\n", "--dump-config")
    assert code == 0 and "deadline: 5s" in out
    assert check(tmp_path, out)[0] == 0


def test_the_words_of_a_caddyfile_are_taken(tmp_path):
    code, out, _ = check(tmp_path, "listen: 127.0.0.1:1\nupstreams: [127.0.0.1:2]\nhealth_uri: /up\nhealth_interval: 3s\n"
                         "lb_policy: round_robin\nlb_try_duration: 7s\n", "--dump-config")
    assert code == 0
    assert 'uri: "/up"' in out and "interval: 3s" in out and "deadline: 7s" in out


def test_a_missing_file_and_wrong_usage_are_errors(tmp_path):
    for arguments in (["check", str(tmp_path / "none.yaml")], ["run"], ["run", "--config", str(tmp_path)], [], ["dance"]):
        done = subprocess.run([built("lb"), *arguments], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and done.stderr, arguments


def test_help_and_version(tmp_path):
    for name in ("lb", "shortener"):
        for arguments, expected in ((["--help"], "--version"), (["--version"], "0.")):
            done = subprocess.run([built(name), *arguments], capture_output=True, text=True, timeout=30)
            assert done.returncode == 0 and expected in done.stdout, (name, arguments, done)


@pytest.mark.parametrize("which", ["listen", "admin"])
def test_a_port_in_use_is_said_clearly(tmp_path, which):
    taken = Upstream()
    free = free_port()
    listen, admin = (taken.port, free) if which == "listen" else (free, taken.port)
    config = tmp_path / "lb.yaml"
    config.write_text(f"listen: 127.0.0.1:{listen}\nadmin: {{listen: 127.0.0.1:{admin}}}\nupstreams: [127.0.0.1:9]\n")
    done = subprocess.run([built("lb"), "run", "--config", str(config)], capture_output=True, text=True, timeout=30)
    taken.close()
    assert done.returncode == 1
    assert f"cannot listen" in done.stderr and f"127.0.0.1:{taken.port}" in done.stderr
    assert "somebody else listens there" in done.stderr


@pytest.mark.parametrize("command, expected", [
    ("start", "write: lb run FILE"), ("validate", "write: lb check FILE"), ("reload", "send SIGHUP"),
    ("lb.yaml", "to serve a file, write: lb run FILE"), ("dance", "the commands are run, check and reference"),
])
def test_an_unknown_command_is_named(command, expected):
    done = subprocess.run([built("lb"), command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == f"lb: unknown command '{command}'; {expected}" + done.stderr[done.stderr.find(expected) + len(expected):]


@pytest.mark.parametrize("arguments", [["FILE"], ["--config", "FILE"], ["-c", "FILE"]])
def test_run_takes_the_file_as_an_argument_or_an_option(tmp_path, arguments):
    config = tmp_path / "lb.yaml"
    config.write_text("listen: x\n")
    done = subprocess.run([built("lb"), "run", *(str(config) if one == "FILE" else one for one in arguments)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"{config}:1:9: listen: 'x'" in done.stderr


REFUSED = [
    ("log: {{access: {folder}/none/a.log}}", "log.access: '{folder}/none/a.log': there is no such folder; choose another file, or off"),
    ("log: {{access: {folder}}}", "log.access: '{folder}': it is a folder"),
    ("log: {{access: {folder}/lb.yaml/a.log}}", "log.access: '{folder}/lb.yaml/a.log': "),
    ("admin: {{listen: 192.0.2.1:9900}}", "admin.listen: '192.0.2.1:9900': this machine has no such address; choose another address"),
    ("admin: {{listen: 127.0.0.1:{port}}}", "admin.listen: the same address and port as listen"),
    ("admin: {{listen: '*:{port}'}}", "admin.listen: the same address and port as listen"),
]


@pytest.mark.parametrize("line, expected", REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_check_finds_what_run_refuses_on_this_machine(tmp_path, line, expected):
    names = {"folder": str(tmp_path), "port": free_port()}
    text = f"listen: 127.0.0.1:{names['port']}\nupstreams: [127.0.0.1:9]\n{line.format(**names)}\n"
    code, out, errors = check(tmp_path, text)
    assert code == 1 and out == ""
    assert expected.format(**names).replace(str(tmp_path) + "/", "") in errors, errors
    assert not (tmp_path / "a.log").exists()
    done = subprocess.run([built("lb"), "run", str(tmp_path / "lb.yaml")], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, "check refuses only what run refuses"


def test_check_finds_that_there_are_too_few_descriptors(tmp_path):
    config = tmp_path / "lb.yaml"
    config.write_text("listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nworkers: 64\nupstreams: [127.0.0.1:9]\n")
    for command in ("check", "run"):
        done = subprocess.run(["prlimit", "--nofile=200", built("lb"), command, str(config)], capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 1 and "file descriptors" in done.stderr, done


@pytest.mark.parametrize("which", ["listen", "admin"])
def test_check_reports_a_port_in_use_only_if_asked(tmp_path, which):
    taken = Upstream()
    free = free_port()
    listen, admin = (taken.port, free) if which == "listen" else (free, taken.port)
    text = f"listen: 127.0.0.1:{listen}\nadmin: {{listen: 127.0.0.1:{admin}}}\nupstreams: [127.0.0.1:9]\n"
    assert check(tmp_path, text)[0] == 0
    code, _, errors = check(tmp_path, text, "--ports")
    taken.close()
    assert code == 1 and f"'127.0.0.1:{taken.port}': somebody else listens there; stop the process that owns the port" in errors
    assert check(tmp_path, text, "--ports")[0] == 0


def test_two_lbs_do_not_share_a_port_unnoticed(start_lb, upstream, tmp_path):
    lb = start_lb(f"upstreams: [{upstream().address}]")
    config = tmp_path / "second.yaml"
    config.write_text(f"listen: 127.0.0.1:{lb.public}\nadmin: {{listen: 127.0.0.1:0}}\nupstreams: [127.0.0.1:9]\n")
    done = subprocess.run([built("lb"), "run", "--config", str(config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "somebody else listens there" in done.stderr
    assert ask(lb.public)[0] == 200


def test_the_reference_and_the_samples_are_true():
    with open(f"{ROOT}/docs/config.md") as reference:
        assert subprocess.run([built("lb"), "reference"], capture_output=True, text=True).stdout in reference.read(), \
            "docs/config.md is old: print it anew with `lb reference`"
    with open(f"{ROOT}/docs/shortener-config.md") as reference:
        assert subprocess.run([built("shortener"), "reference"], capture_output=True, text=True).stdout in reference.read(), \
            "docs/shortener-config.md is old: print it anew with `shortener reference`"
    for program, *words in (("lb", "lb.yaml"), ("lb", "lb-routes.yaml"), ("shortener", "shortener.yaml", "--offline")):
        done = subprocess.run([built(program), "check", f"{ROOT}/config/{words[0]}", *words[1:]], capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stderr


def test_a_listener_on_all_addresses_takes_ipv4_and_ipv6_clients(start_lb, upstream):
    server = upstream()
    lb = start_lb(f"listen: '*:0'\nupstreams: ['{server.address}']\ntrusted_proxies: [127.0.0.1]\n")
    for client, expected in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
        with socket.create_connection((client, lb.public), timeout=10) as connection:
            connection.sendall(b"GET /seen HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\nConnection: close\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        request = server.requests[-1]
        assert request.all("X-Forwarded-For") == [expected]
        assert (request.all("X-Request-ID") == ["mine"]) == (client == "127.0.0.1"), "only IPv4 loopback is trusted"


def test_an_lb_without_admin_port_serves_upgrades_and_stops(tmp_path, upstream):
    server = upstream()
    port = free_port()
    config = tmp_path / "lb.yaml"
    config.write_text(f"listen: '*:{port}'\nadmin: off\nworkers: 1\nshutdown: {{grace: 1s}}\nupstreams: ['{server.address}']\n")
    log = tmp_path / "log"
    with open(log, "w") as out:
        lb = subprocess.Popen([built("lb"), "run", str(config)], stderr=out)
    heir = None
    try:
        eventually(lambda: " info ready" in log.read_text())
        assert "name=admin" not in log.read_text()
        assert ask(port)[0] == 200
        lb.send_signal(signal.SIGUSR2)
        heir = int(eventually(lambda: re.search(r"info upgraded pid=(\d+)", log.read_text()))[1])
        assert lb.wait(30) == 0
        assert ask(port)[0] == 200
        os.kill(heir, signal.SIGTERM)
        eventually(lambda: log.read_text().count(" info stopped") == 2)
        heir = None
        assert "signal name=SIGUSR2" in log.read_text() and "signal name=SIGTERM" in log.read_text()
    finally:
        lb.kill()
        lb.wait()
        if heir is not None:
            os.kill(heir, signal.SIGKILL)
