"""ops/init-replica.sh, which makes the replica in docker-compose.yml, against a real primary."""
import os
import shutil
import tempfile

import pytest
from stack.ports import free_port
from stack.postgres import Postgres, program
from stack.process import Process, own, unprivileged_user
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


def test_a_replica_waits_for_its_primary_follows_it_and_is_restarted_on_its_data(folder):
    path, user = folder
    primary = Postgres("primary", path, free_port(), "admin", user, path, is_durable=False)
    primary.create()
    script = os.path.join(path, "init-replica.sh")  # the checkout may be closed to the unprivileged user
    shutil.copy(os.path.join(ROOT, "ops/init-replica.sh"), script)
    os.chmod(script, 0o755)
    data = os.path.join(path, "replica")
    port = free_port()
    env = {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(primary.port), "REPLICATION_USER": "replicator",
           "REPLICATION_PASSWORD": PASSWORD, "REPLICATION_SLOT": "slot", "PGDATA": data,
           "PATH": os.path.dirname(program("postgres")) + ":/usr/bin:/bin"}
    replica = Process("init-replica", ["/bin/sh", script, "-p", str(port), "-k", ""], os.path.join(path, "replica.log"),
                      env=env, user=user)
    follower = Postgres("replica", path, port, "admin", user, path)
    try:
        replica.start()  # nobody listens at the primary's port yet
        replica.wait_for_log("does not give a copy yet")
        primary.start()
        primary.ensure_database()
        primary.sql("SELECT pg_create_physical_replication_slot('slot')", "postgres")
        quoted = PASSWORD.replace("'", "''")
        primary.sql(f"CREATE ROLE replicator LOGIN REPLICATION PASSWORD '{quoted}'", "postgres")
        with open(os.path.join(primary.data, "pg_hba.conf"), "a") as access:
            access.write("host replication replicator 127.0.0.1/32 scram-sha-256\n")
        primary.sql("SELECT pg_reload_conf()", "postgres")

        def has(number):
            try:
                return follower.sql(f"SELECT count(*) FROM seen WHERE n = {number}") == "1"
            except Exception:
                return False
        primary.sql("CREATE TABLE seen (n int)")
        primary.sql("INSERT INTO seen VALUES (1)")
        eventually(lambda: has(1), 30, "the replica does not follow:\n" + replica.log_text())
        assert follower.sql("SELECT pg_is_in_recovery()") == "t"
        assert oct(os.stat(data).st_mode & 0o777) == "0o700"
        assert PASSWORD not in replica.log_text()

        replica.kill()
        primary.sql("INSERT INTO seen VALUES (2)")
        replica.start()
        eventually(lambda: has(2), 30, "the replica does not go on:\n" + replica.log_text())
        assert "going on with the data" in replica.log_text()
    finally:
        replica.kill()
        primary.kill()


def test_a_primary_that_never_comes_is_said(folder):
    path, user = folder
    script = os.path.join(path, "init-replica.sh")
    shutil.copy(os.path.join(ROOT, "ops/init-replica.sh"), script)
    env = {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(free_port()), "REPLICATION_USER": "r",
           "REPLICATION_PASSWORD": "p", "PGDATA": os.path.join(path, "data"), "INIT_REPLICA_WAIT": "1",
           "PATH": os.path.dirname(program("postgres")) + ":/usr/bin:/bin"}
    replica = Process("init-replica", ["/bin/sh", script], os.path.join(path, "log"), env=env, user=user).start()
    assert replica.wait(20) == 1
    assert "is it up, and may r replicate?" in replica.log_text()
