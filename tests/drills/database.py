"""What a PostgreSQL server says of its work, asked again and again over one connection, which is made anew when it is lost."""
import os
import select
import subprocess

from stack.postgres import DATABASE, ROLE, program

PATIENCE = 0.3  # seconds; one that hangs or is away says nothing
COUNTS = ("transactions", "rows", "hit", "read")  # rows read; blocks of 8 KiB found in its memory, and not
ASK = ("SELECT xact_commit + xact_rollback, tup_returned, blks_hit, blks_read FROM pg_stat_database "
       "WHERE datname = current_database();\n")


class Observer:
    def __init__(self, server):
        self.server = server
        self.psql = None

    def read(self):
        """The counts so far, by name; nothing where it does not answer. One transaction of them is this one."""
        try:
            if self.psql is None:
                self.psql = self._connect()
            self.psql.stdin.write(ASK)
            self.psql.stdin.flush()
            if not select.select([self.psql.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError
            return dict(zip(COUNTS, map(int, self.psql.stdout.readline().strip().split("|")), strict=True))
        except (OSError, ValueError):
            self.close()
            return {}

    def _connect(self):
        return subprocess.Popen(
            [program("psql"), "-XAtq", f"postgresql://{ROLE}@127.0.0.1:{self.server.port}/{DATABASE}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd="/",
            env={**os.environ, "PGPASSWORD": self.server.password, "PGCONNECT_TIMEOUT": "2"})

    def close(self):
        if self.psql is not None:
            self.psql.kill()
            self.psql.wait()
            for pipe in (self.psql.stdin, self.psql.stdout):
                try:
                    pipe.close()
                except OSError:  # what it did not take
                    pass
            self.psql = None
