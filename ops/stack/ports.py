"""Free TCP ports on loopback."""
import fcntl
import os
import random
import socket

_lock_file = None  # its descriptor, once it is open
_reserved = set()  # by this process


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reserve(port):
    """Returns whether the port is now ours: no other process that uses this module gets it while this one lives.

    A port that is only probed could be given to two processes that start servers at the same time, or to one process
    while another one's server is being restarted. The reservation is a lock on one byte of a file, at the port's number.
    """
    global _lock_file
    if port in _reserved:
        return False
    if _lock_file is None:
        _lock_file = os.open(f"/tmp/holdfast-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(_lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    _reserved.add(port)
    return True


def free_port(preferred=None):
    """A port that no process listens on, reserved for this process: `preferred` if it is free.

    It is below the range of outgoing connections, so that a server which is restarted on its port does not find it in
    use by somebody's connection.
    """
    if preferred is not None and is_free(preferred) and reserve(preferred):
        return preferred
    with open("/proc/sys/net/ipv4/ip_local_port_range") as ranges:
        first_outgoing = int(ranges.read().split()[0])
    highest = min(first_outgoing, 65536) - 1
    for _ in range(1000):
        port = random.randint(max(10000, highest - 20000), highest)
        if is_free(port) and reserve(port):
            return port
    raise RuntimeError("no free port found")
