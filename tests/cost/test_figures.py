"""How tests/cost/run judges figures. The figures themselves are measured by .ci/run."""
import os
import subprocess

import pytest
from cost import figures, made_with
from cost.counters import calls_of_trace, check_tools, counts_of_profile
from stack.process import Failed

COMMITTED = {"lb: GET": {"instructions": 20000, "allocations": 0, "sendto": 2, "recvfrom": 10}}


@pytest.mark.parametrize("figure, value, verdict", [
    ("instructions", 20000, ""),
    ("instructions", 20399, ""),
    ("instructions", 20401, "rose"),
    ("instructions", 19601, ""),
    ("instructions", 19599, "fell"),
    ("allocations", 0.09, ""),
    ("allocations", 0.11, "rose"),
    ("allocations", -0.05, ""),
    ("sendto", 2.09, ""),
    ("sendto", 3, "rose"),
    ("sendto", 1, "fell"),
    ("recvfrom", 10.19, ""),  # 2 % is more than 0.1 calls
    ("recvfrom", 10.21, "rose"),
    ("sendto", None, "fell"),
    ("instructions", None, "fell"),
    ("epoll_ctl", 0.09, None),  # a call that only timers make is no figure
    ("epoll_ctl", 1, "rose"),
])
def test_a_figure_may_move_by_two_percent_or_a_tenth_of_a_call(figure, value, verdict):
    measured = {"lb: GET": {**COMMITTED["lb: GET"], figure: value}}
    if value is None:
        del measured["lb: GET"][figure]
    verdicts = {name: each for _, name, _, _, each in figures.compare(COMMITTED, measured)}
    assert verdicts.get(figure) == verdict
    assert [each for name, each in verdicts.items() if name != figure and each] == []


def test_an_exchange_that_only_one_side_has_moves_all_its_figures():
    gone = figures.compare(COMMITTED, {})
    assert [row[1:4] for row in gone if row[4] == "fell"] == [("instructions", 20000, None), ("sendto", 2, None),
                                                              ("recvfrom", 10, None)]
    new = figures.compare({}, COMMITTED)
    assert [row[1] for row in new if row[4] == "rose"] == ["instructions", "sendto", "recvfrom"]


def test_the_message_names_the_figure_and_the_command():
    measured = {"lb: GET": {**COMMITTED["lb: GET"], "instructions": 21000, "sendto": 3}}
    message = figures.verdict(figures.compare(COMMITTED, measured))
    assert "lb: GET: instructions rose from 20,000 to 21,000 (+5.00%)" in message
    assert "lb: GET: sendto rose from 2.00 to 3.00 (+50.00%)" in message
    assert "costs more" in message and "tests/cost/run --refresh" in message

    measured = {"lb: GET": {**COMMITTED["lb: GET"], "instructions": 19000}}
    message = figures.verdict(figures.compare(COMMITTED, measured))
    assert "instructions fell from 20,000 to 19,000 (-5.00%)" in message
    assert "costs less" in message and "tests/cost/run --refresh" in message

    assert figures.verdict(figures.compare(COMMITTED, COMMITTED)) == ""


def test_what_is_written_compares_as_unchanged(tmp_path):
    path = str(tmp_path / "figures.json")
    measured = {"lb: GET": {"instructions": 20000.4, "allocations": -0.02, "sendto": 1.97, "recvfrom": 1.5, "poll": 0.03}}
    figures.write(measured, {"release": "debian 12 x86_64"}, path)
    committed, with_what = figures.read(path)
    assert committed == {"lb: GET": {"instructions": 20000, "allocations": 0, "sendto": 2, "recvfrom": 1.5}}
    assert with_what == {"release": "debian 12 x86_64"}
    assert figures.verdict(figures.compare(committed, measured)) == ""


def test_figures_of_another_release_are_not_compared_but_those_of_another_version_are():
    committed = {"release": "debian 12 x86_64", "libc6": "2.36-9"}
    assert made_with.refusal(committed, {"release": "debian 12 x86_64", "libc6": "2.36-10"}) == ""
    assert made_with.differences(committed, {"release": "debian 12 x86_64", "libc6": "2.36-10"}) == ["  libc6: 2.36-10 (committed: 2.36-9)"]
    for other in "debian 13 x86_64", "debian 12 aarch64":
        assert other in made_with.refusal(committed, {"release": other})


def test_the_committed_figures_have_no_allocation_in_lb():
    committed, _ = figures.read()
    on_a_kept_connection = {name: values["allocations"] for name, values in committed.items()
                            if name.startswith("lb: ") and "connection" not in name}
    assert on_a_kept_connection and set(on_a_kept_connection.values()) == {0}


def test_a_profile_is_read_for_instructions_calls_of_the_allocator_and_upkeep():
    profile = ("version: 1\nevents: Ir\nob=/usr/lib/libstdc++.so.6\nfn=operator new(unsigned long)\n12 30\ncob=/usr/lib/libc.so.6\n"
               "cfn=malloc\ncalls=7 0\n12 700\nob=/usr/lib/libpq.so.5.15\nfn=PQgetResult\n+3 400\ncfn=calloc\ncalls=2 0\n+4 90\n* 55\n"
               "cfn=free\ncalls=9 0\n-5 99\nob=/usr/lib/libc.so.6\nfn=malloc\n0 300\n\nsummary: 12345\ntotals: 12399\n")
    assert counts_of_profile(profile.splitlines(True)) == {"instructions": 12345, "allocations": 9, "upkeep": 455}


def test_each_call_of_a_trace_counts_once_whether_it_is_resumed_or_not():
    assert calls_of_trace('10 epoll_wait(9,  <unfinished ...>\n11 sendto(7, ""..., 20, 0, NULL, 0) = 20\n'
                          '10 <... epoll_wait resumed>[], 1024, 5) = 0\n10 clock_gettime(1, {}) = 0\n10 --- SIGTERM {} ---\n'
                          '10 sendto(7, ""..., 9, 0, NULL, 0) = 9\n') == {"epoll_wait": 1, "sendto": 2}


def test_a_machine_where_nothing_may_be_traced_is_an_error_that_says_so(tmp_path, monkeypatch):
    for name, text in ("strace", "#!/bin/sh\necho 'ptrace(PTRACE_TRACEME): Operation not permitted' >&2\nexit 1\n"), \
            ("valgrind", "#!/bin/sh\n"), ("vgdb", "#!/bin/sh\n"):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(Failed, match="Permit ptrace(.|\n)*Operation not permitted"):
        check_tools()
    (tmp_path / "strace").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="strace is missing: install it with ./ops/install ci"):
        check_tools()


def test_a_failure_is_one_line_and_no_success(tmp_path):
    run = os.path.join(os.path.dirname(figures.FILE), "run")
    done = subprocess.run([run], capture_output=True, text=True, env={**os.environ, "HOLDFAST_BIN": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr.startswith("tests/cost/run: ") and done.stderr.count("\n") == 1
    assert "build it with ./ops/test --build-only" in done.stderr
