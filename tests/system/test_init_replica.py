"""ops/init-replica.sh, which makes the replica in docker-compose.yml, against a real primary."""
import os
import shutil
import subprocess
import tempfile

import pytest
from stack.ports import free_port
from stack.postgres import Postgres, program
from stack.process import Failed, Process, own, unprivileged_user
from stack.programs import ROOT
from system.upstream import eventually

PASSWORD = "it's a \\ secret"


@pytest.fixture
def folder():
    user = unprivileged_user()
    path = tempfile.mkdtemp(prefix="holdfast-replica-")
    own(path, user)
    yield path, user
    shutil.rmtree(path, ignore_errors=True)


class Replica:
    """init-replica.sh as a process; `follower` asks the PostgreSQL that it becomes."""

    def __init__(self, path, user, primary_port, **env):
        script = os.path.join(path, "init-replica.sh")  # the checkout may be closed to the unprivileged user
        shutil.copy(os.path.join(ROOT, "ops/init-replica.sh"), script)
        os.chmod(script, 0o755)
        self.data = os.path.join(path, "replica")
        self.wrapper = os.path.join(path, "programs", "pg_basebackup")
        os.mkdir(os.path.dirname(self.wrapper))
        self.copy_with("--no-sync")  # a test's disk need not be waited for
        port = free_port()
        env = {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(primary_port), "REPLICATION_USER": "replicator",
               "REPLICATION_PASSWORD": PASSWORD, "REPLICATION_SLOT": "slot", "PGDATA": self.data,
               "PATH": ":".join([os.path.dirname(self.wrapper), os.path.dirname(program("postgres")), "/usr/bin:/bin"]),
               **env}
        self.process = Process("init-replica", ["/bin/sh", script, "-p", str(port), "-k", ""],
                               os.path.join(path, "replica.log"), env=env, user=user)
        self.follower = Postgres("replica", path, port, "admin", user, path)

    def copy_with(self, *options):
        """The script finds a pg_basebackup that has these options too."""
        with open(self.wrapper, "w") as script:
            script.write(f'#!/bin/sh\nexec {program("pg_basebackup")} {" ".join(options)} "$@"\n')
        os.chmod(self.wrapper, 0o755)

    def wait_for_row(self, number):
        def has():
            self.process.must_run()
            try:
                return self.follower.sql(f"SELECT count(*) FROM seen WHERE n = {number}") == "1"
            except Failed:
                return False
        eventually(has, 30, f"row {number} does not come:\n" + self.process.log_text())


def allow_replication(primary):
    primary.sql("SELECT pg_create_physical_replication_slot('slot')", "postgres")
    quoted = PASSWORD.replace("'", "''")
    primary.sql(f"CREATE ROLE replicator LOGIN REPLICATION PASSWORD '{quoted}'", "postgres")
    with open(os.path.join(primary.data, "pg_hba.conf"), "a") as access:
        access.write("host replication replicator 127.0.0.1/32 scram-sha-256\n")
    primary.sql("SELECT pg_reload_conf()", "postgres")


@pytest.mark.long
def test_a_replica_waits_for_its_primary_follows_it_and_is_restarted_on_its_data(folder):
    path, user = folder
    primary = Postgres("primary", path, free_port(), "admin", user, path, is_durable=False)
    primary.create()
    replica = Replica(path, user, primary.port)
    try:
        # A copy that was interrupted: some files are there, its last are not.
        os.makedirs(os.path.join(replica.data, ".copy", "base"))
        with open(os.path.join(replica.data, "PG_VERSION"), "w") as version:
            version.write("15\n")
        if user is not None:
            subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", replica.data], check=True)

        replica.process.start()  # nobody listens at the primary's port yet
        replica.process.wait_for_log("was interrupted; it is made again")
        replica.process.wait_for_log("does not give a copy yet")
        primary.start()
        primary.ensure_database()
        allow_replication(primary)
        primary.sql("CREATE TABLE seen (n int)")
        primary.sql("INSERT INTO seen VALUES (1)")
        replica.wait_for_row(1)
        assert replica.follower.sql("SELECT pg_is_in_recovery()") == "t"
        assert primary.sql("SELECT slot_name FROM pg_replication_slots WHERE active") == "slot"
        assert oct(os.stat(replica.data).st_mode & 0o777) == "0o700"
        assert not os.path.exists(os.path.join(replica.data, ".copy"))
        assert PASSWORD not in replica.process.log_text()

        replica.process.kill()
        primary.sql("INSERT INTO seen VALUES (2)")
        # Another password needs no new copy.
        primary.sql("ALTER ROLE replicator PASSWORD 'another:one'", "postgres")
        replica.process.env["REPLICATION_PASSWORD"] = "another:one"
        replica.process.start()
        replica.wait_for_row(2)
        assert "going on with the data" in replica.process.log_text()

        # Promoted, it is the one that has the newest data: a restart must not replace that by a copy.
        replica.follower.sql("SELECT pg_promote()")
        replica.follower.sql("INSERT INTO seen VALUES (3)")
        replica.process.kill()
        replica.process.start()
        replica.wait_for_row(3)
        assert replica.follower.sql("SELECT pg_is_in_recovery()") == "f"
    finally:
        replica.process.kill()
        primary.kill()


@pytest.mark.long
def test_a_copy_killed_halfway_is_made_again(folder):
    path, user = folder
    primary = Postgres("primary", path, free_port(), "admin", user, path, is_durable=False)
    primary.create()
    replica = Replica(path, user, primary.port)
    primary.start()
    try:
        primary.ensure_database()
        allow_replication(primary)
        primary.sql("CREATE TABLE seen (n int)")
        primary.sql("INSERT INTO seen VALUES (1)")
        replica.copy_with("--max-rate=1M")  # half a minute
        replica.process.start()
        eventually(lambda: os.path.exists(os.path.join(replica.data, ".copy", "backup_label")), 20, "no copy begins")
        replica.process.kill()
        replica.copy_with("--no-sync")
        replica.process.start()
        replica.process.wait_for_log("was interrupted; it is made again")
        replica.wait_for_row(1)
    finally:
        replica.process.kill()
        primary.kill()


def test_data_that_is_no_replica_is_left_alone(folder):
    path, user = folder
    replica = Replica(path, user, free_port())
    os.mkdir(replica.data)
    own(replica.data, user)
    precious = os.path.join(replica.data, "precious")
    open(precious, "w").close()
    replica.process.start()
    assert replica.process.wait(20) == 1
    assert "neither empty nor a replica" in replica.process.log_text()
    assert os.path.exists(precious)


def test_a_signal_ends_the_wait_for_the_primary_at_once(folder):
    path, user = folder
    replica = Replica(path, user, free_port())
    replica.process.start()
    replica.process.wait_for_log("does not give a copy yet")
    assert replica.process.stop() == 143


def test_a_primary_that_never_comes_is_said(folder):
    path, user = folder
    replica = Replica(path, user, free_port(), REPLICATION_USER="r", INIT_REPLICA_WAIT="1")
    replica.process.start()
    assert replica.process.wait(20) == 1
    assert "is it up, and may r replicate?" in replica.process.log_text()
