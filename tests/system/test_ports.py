"""ops/stack/ports.py: a port is given once, and to one process."""
import os
import subprocess
import sys

from stack.ports import free_port, reserve
from stack.programs import ROOT

TRY = "import sys; from stack.ports import reserve; print(*[port for port in sys.argv[1:] if reserve(int(port))])"


def could_reserve(ports):
    """Of these ports, those that another process could reserve."""
    done = subprocess.run([sys.executable, "-c", TRY, *map(str, ports)], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.path.join(ROOT, "ops")})
    return [int(port) for port in done.stdout.split()]


def test_a_port_is_given_once():
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200 and not any(map(reserve, ports))


def test_a_port_that_one_process_has_reserved_is_not_given_to_another():
    assert could_reserve([free_port() for _ in range(20)]) == []


def test_a_port_is_free_again_when_its_process_has_ended():
    with subprocess.Popen([sys.executable, "-c", "from stack.ports import free_port; print(free_port(), flush=True); input()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": os.path.join(ROOT, "ops")}) as other:
        port = int(other.stdout.readline())
        assert not reserve(port)
        other.communicate("\n")
    assert reserve(port)
