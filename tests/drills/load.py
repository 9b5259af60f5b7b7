"""An open-loop load that keeps account of every request.

Requests are sent at a constant rate, whatever has become of those before: a closed loop would slow down with the system
and hide what its users would have seen. They come in bursts, so that there are some under way whenever something is
broken. Latency counts from the moment at which a request was due. The client keeps its connections alive and never
retries: what fails, fails.
"""
import asyncio
import socket
import struct
import time

from stack.patience import patient

# How a request ended, as its client saw it. lb's ledger has the same words, but for the first two.
UNSENT = "unsent"  # no connection to the system
CLOSED = "closed"  # the connection was closed without an answer
ANSWERED = "answered"
LOCAL_ERROR = "local_error"  # whole, and made by the proxy
CUT = "cut"
CLIENT_GONE = "client_gone"  # the client's patience was at its end


class Entry:
    """One request's fate."""
    __slots__ = ("number", "wanted", "due", "begun", "done", "outcome", "status", "error")

    def __init__(self, number, wanted, due):
        self.number = number
        self.wanted = wanted  # what it was, and what its answer must be: see mix.py
        self.due = due
        self.begun = due  # later where the client itself had no time
        self.done = None
        self.outcome = UNSENT
        self.status = None
        self.error = None

    @property
    def latency(self):
        return (self.done or time.monotonic()) - self.due


class Response:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        self.body = b""

    @property
    def is_local(self):
        """RFC 9209: a proxy says so where it answers by itself."""
        return "error=" in self.fields.get("proxy-status", "")

    @property
    def ends_connection(self):
        return self.fields.get("connection", "").lower() == "close"


class Connection:
    """One keep-alive connection to the system under test."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def exchange(self, request, entry):
        self.writer.write(request)
        entry.outcome = CLOSED
        head = await self.reader.readuntil(b"\r\n\r\n")
        entry.outcome = CUT
        response = Response(head)
        entry.status = response.status
        if response.fields.get("transfer-encoding") == "chunked":
            size = None
            while size != 0:
                size = int((await self.reader.readline()).split(b";")[0], 16)
                response.body += (await self.reader.readexactly(size + 2))[:-2]
        elif response.status not in (204, 304):
            response.body = await self.reader.readexactly(int(response.fields.get("content-length", "0")))
        entry.outcome = LOCAL_ERROR if response.is_local else ANSWERED
        return response

    def is_open(self):
        return not self.reader.at_eof()

    def close(self):
        self.writer.close()

    def reset(self):
        """Leaves for good: a mere end of the stream is a half-closed connection, whose answer is still wanted."""
        own = self.writer.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Load:
    """`mix.make(number)` gives the bytes of a request and what is wanted of it; `wanted.judge(response)` says what is
    wrong with an answer, or None. Each request's entry is kept, or told once it is done where `told` is given."""

    def __init__(self, port, mix, rate, burst, time_limit=10, told=None):
        self.port = port
        self.mix = mix
        self.rate = rate
        self.burst = burst
        self.time_limit = patient(time_limit)
        self.told = told
        self.entries = []
        self.idle = []
        self.under_way = 0
        self.is_over = False
        self._sent_burst = asyncio.Event()
        self._problem = None  # of a task: our own

    async def run(self, script):
        """Sends until the coroutine `script` has ended, and waits for what is under way."""
        sending = asyncio.create_task(self._send())
        try:
            await script
        finally:
            self.is_over = True
            tasks = await sending
            await asyncio.gather(*tasks)
            for connection in self.idle:
                connection.close()
        if self._problem:
            raise self._problem
        return self

    async def next_burst(self):
        """Returns when the next burst has just been sent."""
        self._sent_burst.clear()
        await self._sent_burst.wait()

    async def _send(self):
        begun = time.monotonic()
        tasks = set()
        number = 0

        def end(task):
            tasks.discard(task)
            if not task.cancelled() and task.exception():
                self._problem = task.exception()
        while not self.is_over:
            due = begun + number / self.rate
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            for _ in range(self.burst):
                task = asyncio.create_task(self._one(Entry(number, None, due)))
                tasks.add(task)
                task.add_done_callback(end)
                number += 1
            await asyncio.sleep(0)  # they write
            self._sent_burst.set()
        return tasks

    async def _one(self, entry):
        request, entry.wanted = self.mix.make(entry.number)
        entry.begun = time.monotonic()
        if self.told is None:
            self.entries.append(entry)
        self.under_way += 1
        connection = None
        try:
            async with asyncio.timeout(self.time_limit):
                connection = await self._connect()
                response = await connection.exchange(request, entry)
            entry.error = entry.wanted.judge(response)
            if not response.ends_connection:
                self.idle.append(connection)
                connection = None
        except TimeoutError:
            entry.error = f"no answer within {self.time_limit} s"
            if entry.outcome != UNSENT:
                entry.outcome = CLIENT_GONE
            if connection is not None:
                connection.reset()
        except (OSError, asyncio.IncompleteReadError, ValueError) as problem:
            entry.error = f"{entry.outcome}: {type(problem).__name__}"
        finally:
            entry.done = time.monotonic()
            self.under_way -= 1
            if connection is not None:
                connection.close()
            if self.told is not None:
                self.told(entry)

    async def _connect(self):
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open():
                return connection
            connection.close()
        return Connection(*await asyncio.open_connection("127.0.0.1", self.port))


def quantile_ms(entries, share):
    """The quantile `share` of the latencies; 1 is the slowest. None where there are none."""
    ordered = sorted(entry.latency for entry in entries)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2) if ordered else None
