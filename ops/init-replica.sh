#!/bin/sh
# Makes a streaming replica of a primary, and runs it. As root (in a container) it runs PostgreSQL as user postgres.
#
#   PRIMARY_HOST, PRIMARY_PORT (5432), REPLICATION_USER, REPLICATION_PASSWORD, REPLICATION_SLOT, PGDATA: where from, to
#   INIT_REPLICA_WAIT (300): seconds to wait for the primary; further arguments go to postgres
#
# pg_basebackup writes standby.signal last: where it is missing, the copy is not whole.
# Data that is there already is not copied again: the replica goes on with it. A copy that was interrupted is.
set -eu
: "${PRIMARY_HOST:?where is the primary?}" "${REPLICATION_USER:?}" "${REPLICATION_PASSWORD:?}" "${PGDATA:?}"
port=${PRIMARY_PORT:-5432}
wait_s=${INIT_REPLICA_WAIT:-300}

say() { echo "init-replica: $*" >&2; }

# Whatever runs PostgreSQL must not be root.
as_postgres() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
  elif command -v su-exec >/dev/null 2>&1; then
    su-exec postgres "$@"
  elif command -v gosu >/dev/null 2>&1; then
    gosu postgres "$@"
  else
    setpriv --reuid=postgres --regid=postgres --init-groups "$@"
  fi
}

# The password stands in a file that only its owner reads: neither in a command line nor in a log.
pgpass=$(mktemp)
chmod 600 "$pgpass"
escaped=$(printf '%s' "$REPLICATION_PASSWORD" | sed 's/[\\:]/\\&/g')
printf '%s:%s:*:%s:%s\n' "$PRIMARY_HOST" "$port" "$REPLICATION_USER" "$escaped" >"$pgpass"
if [ "$(id -u)" -eq 0 ]; then chown postgres "$pgpass"; fi
trap 'rm -f "$pgpass"' EXIT

mkdir -p "$PGDATA"
if [ "$(id -u)" -eq 0 ]; then chown -R postgres "$PGDATA"; fi
chmod 0700 "$PGDATA" # PostgreSQL refuses to start on anything wider

if [ ! -s "$PGDATA/PG_VERSION" ] || [ ! -e "$PGDATA/standby.signal" ]; then
  begun=$(date +%s)
  pause=1
  while :; do
    # pg_basebackup wants an empty folder; what an interrupted copy has left is of no use.
    find "$PGDATA" -mindepth 1 -delete
    if as_postgres env PGPASSFILE="$pgpass" pg_basebackup -D "$PGDATA" -R -X stream -c fast \
      ${REPLICATION_SLOT:+-S "$REPLICATION_SLOT"} \
      -d "host=$PRIMARY_HOST port=$port user=$REPLICATION_USER connect_timeout=5 application_name=replica"; then
      break
    fi
    if [ $(($(date +%s) - begun)) -ge "$wait_s" ]; then
      say "no copy of $PRIMARY_HOST:$port after $wait_s s; is it up, and may $REPLICATION_USER replicate?"
      exit 1
    fi
    say "the primary at $PRIMARY_HOST:$port does not give a copy yet; again in $pause s"
    sleep "$pause"
    [ "$pause" -ge 5 ] || pause=$((pause + 1))
  done
  # -R has written the connection with a path to a password file that will be gone: it gets the password itself, in a
  # file of mode 0600.
  # Once for the connection string, once for the configuration file.
  quoted=$(printf '%s' "$REPLICATION_PASSWORD" | sed "s/[\\\\']/\\\\&/g" | sed "s/\\\\/\\\\\\\\/g; s/'/''/g")
  printf "primary_conninfo = 'host=%s port=%s user=%s password=''%s'' application_name=replica'\n" \
    "$PRIMARY_HOST" "$port" "$REPLICATION_USER" "$quoted" >>"$PGDATA/postgresql.auto.conf"
  chmod 0700 "$PGDATA"
  say "the copy is made"
else
  say "going on with the data in $PGDATA"
fi
rm -f "$pgpass"
trap - EXIT

if [ "$(id -u)" -ne 0 ]; then exec postgres -D "$PGDATA" "$@"; fi
if command -v su-exec >/dev/null 2>&1; then exec su-exec postgres postgres -D "$PGDATA" "$@"; fi
if command -v gosu >/dev/null 2>&1; then exec gosu postgres postgres -D "$PGDATA" "$@"; fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D "$PGDATA" "$@"
