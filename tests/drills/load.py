"""An open-loop load with a ledger.

Requests are sent at a constant rate, whatever has become of those before: a closed loop would slow down with the system
and hide what its users would have seen. Latency counts from the moment at which a request was due. The client keeps its
connections alive and never retries: what fails, fails.
"""
import asyncio
import time


class Entry:
    """One request's fate."""
    __slots__ = ("due", "done", "status", "error", "body")

    def __init__(self, due):
        self.due = due
        self.done = None
        self.status = None
        self.error = None
        self.body = b""

    @property
    def latency(self):
        return (self.done or time.monotonic()) - self.due


class Connection:
    """One keep-alive connection to the system under test."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def exchange(self, request):
        """Status, body, and whether the connection goes on."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        body = b""
        if fields.get("transfer-encoding") == "chunked":
            while True:
                size = int((await self.reader.readline()).split(b";")[0], 16)
                body += (await self.reader.readexactly(size + 2))[:-2]
                if size == 0:
                    break
        elif status not in (204, 304):
            body = await self.reader.readexactly(int(fields.get("content-length", "0")))
        return status, body, fields.get("connection") != "close"

    def close(self):
        self.writer.close()


class Load:
    """`make_request(n)` gives the bytes of request number n; `is_good(n, status, body)` judges its answer."""

    def __init__(self, port, make_request, is_good, time_limit=10):
        self.port = port
        self.make_request = make_request
        self.is_good = is_good
        self.time_limit = time_limit
        self.ledger = []
        self.idle = []

    async def run(self, rate, seconds, at=()):
        """Runs for so long; `at` is a list of (second, coroutine function) to call meanwhile."""
        begun = time.monotonic() + 0.1
        events = [asyncio.create_task(self._later(begun + when, what)) for when, what in at]
        tasks = []
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            tasks.append(asyncio.create_task(self._one(number, due)))
        await asyncio.gather(*tasks)
        await asyncio.gather(*events)
        for connection in self.idle:
            connection.close()
        return self

    async def _later(self, when, what):
        await asyncio.sleep(max(0, when - time.monotonic()))
        await what()

    async def _one(self, number, due):
        entry = Entry(due)
        self.ledger.append(entry)
        connection = None
        try:
            async with asyncio.timeout(self.time_limit):
                connection = self.idle.pop() if self.idle else Connection(
                    *await asyncio.open_connection("127.0.0.1", self.port))
                entry.status, entry.body, goes_on = await connection.exchange(self.make_request(number))
            if not self.is_good(number, entry.status, entry.body):
                entry.error = f"status {entry.status}"
            if goes_on:
                self.idle.append(connection)
                connection = None
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError) as problem:
            entry.error = type(problem).__name__
        finally:
            entry.done = time.monotonic()
            if connection is not None:
                connection.close()

    # --- What came of it ---

    def failed(self):
        return [entry for entry in self.ledger if entry.error is not None]

    def latency_ms(self, share):
        """The quantile `share` of the latencies; 1 is the slowest."""
        ordered = sorted(entry.latency for entry in self.ledger)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0
