"""A private Redis."""
import os
import socket

from . import ports
from .patience import patient
from .process import Process, wait_until


class Redis:
    def __init__(self, folder, user, logs, port=None):
        self.port = port or ports.free_port()
        self.process = Process(
            "redis",
            ["/usr/bin/redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
             "--appendonly", "yes", "--maxmemory", "128mb", "--maxmemory-policy", "volatile-lfu"],
            os.path.join(logs, "redis.log"), user=user, where=f"127.0.0.1:{self.port}")

    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process.start()
        wait_until(self.is_ready, 20, f"redis does not answer; see {self.process.log}")
        return self

    def is_ready(self):
        self.process.must_run()
        try:
            return self.command("PING").startswith("+PONG")
        except OSError:
            return False

    def command(self, *words):
        """One command, of texts or bytes; its reply as it comes over the wire."""
        words = [word.encode() if isinstance(word, str) else word for word in words]
        request = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        with socket.create_connection(("127.0.0.1", self.port), patient(2)) as connection:
            connection.sendall(request)
            return connection.recv(65536).decode(errors="replace")

    def add(self, stream, field, value):
        """An entry at the end of a stream."""
        return self.command("XADD", stream, "*", field, value)

    def stop(self):
        return self.process.stop()

    def kill(self):
        self.process.kill()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()
