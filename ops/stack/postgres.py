"""A private PostgreSQL primary and its streaming replica."""
import glob
import os
import signal
import subprocess

from . import ports
from .process import Failed, Process, as_user, own, wait_until

ROLE = "holdfast"
DATABASE = "holdfast"
SLOT = "replica"

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{socket}'
shared_buffers = 32MB
max_connections = 60
wal_level = replica
max_wal_senders = 5
max_slot_wal_keep_size = 1GB
hot_standby = on
wal_retrieve_retry_interval = 500ms
max_standby_streaming_delay = 1s
client_connection_check_interval = 1s
log_min_messages = warning
fsync = {fsync}
"""

ACCESS = """
local all all trust
host all {role} 127.0.0.1/32 scram-sha-256
host replication {role} 127.0.0.1/32 scram-sha-256
"""


def program(name):
    """The newest installed PostgreSQL's program; its own folder is in nobody's PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise Failed(f"{name} is missing: install the package postgresql")
    return found[-1]


class Postgres:
    """One server. Its files are in `folder`; it runs as `user` (PostgreSQL refuses root)."""

    def __init__(self, name, folder, port, password, user, logs, is_durable=True):
        self.name = name
        self.data = os.path.join(folder, name)
        # A socket's path has a short bound, and a checkout's path may be long.
        self.socket = os.path.join(folder, "sockets")
        self.port = port
        self.password = password
        self.user = user
        self.is_durable = is_durable
        self.process = Process(name, [program("postgres"), "-D", self.data, "-p", str(port), "-k", ""],
                               os.path.join(logs, name + ".log"), user=user, where=f"127.0.0.1:{port}")

    def url(self, or_else=None):
        """With another one, whichever of the two takes writes."""
        hosts = f"127.0.0.1:{self.port}" + (f",127.0.0.1:{or_else.port}" if or_else else "")
        return f"postgresql://{ROLE}:{self.password}@{hosts}/{DATABASE}" + ("?target_session_attrs=read-write" if or_else else "")

    def run(self, *arguments, env=None):
        done = subprocess.run(arguments, capture_output=True, text=True, cwd="/",
                              env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, **as_user(self.user))
        if done.returncode != 0:
            raise Failed(f"{self.name}: {os.path.basename(arguments[0])} failed:\n    {done.stderr.strip()}")
        return done.stdout

    def sql(self, statement, database=DATABASE):
        """Runs a statement as superuser-free role and returns what it printed, unaligned."""
        return self.run(program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement,
                        f"postgresql://{ROLE}@127.0.0.1:{self.port}/{database}",
                        env={"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"}).strip()

    def pause_replay(self):
        """A replica stands still from now on: what the primary writes does not show on it."""
        self.sql("SELECT pg_wal_replay_pause()")

    def resume_replay(self):
        """It goes on. What it then replays may itself take our own query away (a conflict with recovery)."""
        for attempt in range(10):
            try:
                return self.sql("SELECT pg_wal_replay_resume()")
            except Failed as failure:
                if "conflict with recovery" not in str(failure) or attempt == 9:
                    raise

    def exists(self):
        return os.path.exists(os.path.join(self.data, "PG_VERSION"))

    def create(self):
        """A new, empty cluster with the role and the database."""
        password_file = self.data + ".password"
        with open(os.open(password_file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
            out.write(self.password + "\n")
        own(password_file, self.user)
        try:
            self.run(program("initdb"), "-D", self.data, "-U", ROLE, "--pwfile", password_file, "--encoding=UTF8",
                     "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync")
        finally:
            os.remove(password_file)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as out:
            out.write(SETTINGS.format(socket="", fsync="on" if self.is_durable else "off"))
        with open(os.path.join(self.data, "pg_hba.conf"), "w") as out:
            out.write(ACCESS.format(role=ROLE))

    def create_from(self, primary):
        """A copy of a running primary that follows it through a slot of its own."""
        if not primary.sql(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{SLOT}'", "postgres"):
            primary.sql(f"SELECT pg_create_physical_replication_slot('{SLOT}')", "postgres")
        self.run(program("pg_basebackup"), "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-S", SLOT, "--no-sync",
                 "-d", f"postgresql://{ROLE}@127.0.0.1:{primary.port}/postgres?application_name={self.name}",
                 env={"PGPASSWORD": self.password})

    def start(self, seconds=30):
        # After a kill -9, a postmaster.pid is left behind; its children may need a moment to go.
        self.process.start()
        wait_until(self.is_ready, seconds, f"{self.name} does not answer; see {self.process.log}")
        return self

    def is_ready(self):
        self.process.must_run()
        done = subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"])
        return done.returncode == 0

    def ensure_database(self):
        if not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", "postgres"):
            self.sql(f"CREATE DATABASE {DATABASE}", "postgres")

    def stop(self):
        return self.process.stop(signal.SIGINT)  # fast shutdown: does not wait for clients

    def kill(self):
        self.process.kill()

    def pause(self):
        self.process.pause()

    def resume(self):
        self.process.resume()


def make_pair(folder, password, user, logs, is_durable=True, primary_port=None, replica_port=None):
    """Primary and replica, made where they are missing, started. Returns both."""
    primary = Postgres("primary", folder, primary_port or ports.free_port(), password, user, logs, is_durable)
    replica = Postgres("replica", folder, replica_port or ports.free_port(), password, user, logs, is_durable)
    if not primary.exists():
        primary.create()
    primary.start()
    primary.ensure_database()
    if not replica.exists():
        replica.create_from(primary)
    else:
        follow(replica, primary)
    replica.start()
    return primary, replica


def follow(replica, primary):
    """The primary's port may be another one than when the replica was made."""
    path = os.path.join(replica.data, "postgresql.auto.conf")
    with open(path) as config:
        lines = [line for line in config if not line.startswith("primary_conninfo")]
    lines.append(f"primary_conninfo = 'user={ROLE} password={replica.password} host=127.0.0.1 port={primary.port} "
                 f"application_name={replica.name}'\n")
    with open(path, "w") as out:
        out.writelines(lines)
