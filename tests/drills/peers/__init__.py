"""HAProxy, nginx and Caddy in place of lb, in front of the same instances. The configurations are the files beside this.

A line that ends with `# variant: NAME` is for that variant alone: `careful` leaves POSTs alone once they were sent,
`posts` repeats them as well, as far as the proxy can be told to.
"""
import os
import re
import socket
import subprocess

from stack.ports import free_port
from stack.process import Process, own, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
VARIANTS = {"careful": "told to leave POSTs alone", "posts": "told to repeat POSTs too"}

# name: configuration, arguments to run it, to ask its version
PROGRAMS = {
    "HAProxy": ("haproxy.cfg", lambda path: ["haproxy", "-db", "-f", path], ["haproxy", "-v"]),
    "nginx": ("nginx.conf", lambda path: ["nginx", "-e", "stderr", "-c", path], ["nginx", "-v"]),
    "Caddy": ("Caddyfile", lambda path: ["caddy", "run", "--config", path, "--adapter", "caddyfile"], ["caddy", "version"]),
}


def version(name):
    ran = subprocess.run(PROGRAMS[name][2], capture_output=True, text=True, check=True)
    return re.search(r"\d+\.\d+(\.\d+)?", ran.stdout + ran.stderr).group(0)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def configuration(file, variant, values):
    """The file's text for one variant, with the values put in."""
    lines = []
    with open(os.path.join(HERE, file)) as text:
        for line in text:
            marked = re.search(r"\s*# variant: (\w+)$", line.rstrip("\n"))
            if marked is None:
                lines.append(line)
            elif marked.group(1) == variant:
                lines.append(line[:marked.start()] + "\n")
    return re.sub(r"@(\w+)@", lambda found: str(values[found.group(1)]), "".join(lines))


class Peer:
    """One of them, running."""

    def __init__(self, name, variant, apps, folder, user):
        file, arguments, _ = PROGRAMS[name]
        self.port = free_port()
        mine = os.path.join(folder, f"{name}-{variant}-{self.port}")
        os.mkdir(mine)
        path = os.path.join(mine, file)
        with open(path, "w") as out:
            out.write(configuration(file, variant, {
                "port": self.port, "dir": mine, **{app.process.name: app.port for app in apps}}))
        own(mine, user)
        self.process = Process(f"{name}, {VARIANTS[variant]}", arguments(path), os.path.join(folder, f"{name}.log"), user=user,
                               env={"HOME": mine, "XDG_CONFIG_HOME": mine, "XDG_DATA_HOME": mine})

    def start(self):
        self.process.start()
        wait_until(lambda: self.process.must_run() or listens(self.port), 20, f"{self.process.name} does not listen")
        return self

    def stop(self):
        self.process.stop()
