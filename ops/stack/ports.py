"""Free TCP ports on loopback."""
import random
import socket


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(preferred=None):
    """A port that nobody listens at: `preferred` if it is free.

    It is taken from below the range of outgoing connections, so that a server which is restarted on its port does not
    find it in use by somebody's connection.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    with open("/proc/sys/net/ipv4/ip_local_port_range") as ranges:
        first_outgoing = int(ranges.read().split()[0])
    highest = min(first_outgoing, 65536) - 1
    for _ in range(1000):
        port = random.randint(max(10000, highest - 20000), highest)
        if is_free(port):
            return port
    raise RuntimeError("no free port found")
