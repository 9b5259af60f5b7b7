#!/bin/sh
# Makes a streaming replica of a primary, and runs it. As root (in a container) it runs PostgreSQL as user postgres.
#
#   PRIMARY_HOST, PRIMARY_PORT (5432), REPLICATION_USER, REPLICATION_PASSWORD, REPLICATION_SLOT, PGDATA: where from, to
#   INIT_REPLICA_WAIT (300): seconds to wait for the primary; further arguments go to postgres
#
# The copy grows in $PGDATA/.copy and is moved up when it is whole: while that folder is there, the copy is not, and is
# made again. Data without it is never removed: the replica goes on with it, even where it has been promoted meanwhile.
set -eu
: "${PRIMARY_HOST:?where is the primary?}" "${REPLICATION_USER:?}" "${REPLICATION_PASSWORD:?}" "${PGDATA:?}"
port=${PRIMARY_PORT:-5432}
wait_s=${INIT_REPLICA_WAIT:-300}
copy=$PGDATA/.copy
# The password stands in a file that only its owner reads, never in a command line. The replica reads it at each
# connection, and it is written at each start: another password needs no new copy.
pgpass=$PGDATA/replication.pgpass

say() { echo "init-replica: $*" >&2; }

# PostgreSQL refuses to run as root: alpine has su-exec, the official Debian images gosu, Debian itself setpriv.
switch_user=
if [ "$(id -u)" -eq 0 ]; then
  if command -v su-exec >/dev/null 2>&1; then
    switch_user="su-exec postgres"
  elif command -v gosu >/dev/null 2>&1; then
    switch_user="gosu postgres"
  else
    switch_user="setpriv --reuid=postgres --regid=postgres --init-groups"
  fi
fi

own() { if [ -n "$switch_user" ]; then chown "$@"; fi; }

write_pgpass() {
  escaped=$(printf '%s' "$REPLICATION_PASSWORD" | sed 's/[\\:]/\\&/g')
  rm -f "$pgpass"
  (umask 077 && printf '%s:%s:*:%s:%s\n' "$PRIMARY_HOST" "$port" "$REPLICATION_USER" "$escaped" >"$pgpass")
  own postgres "$pgpass"
}

# Runs a command so that a signal ends it and this script at once; a shell as a container's first process would wait.
child=
end() {
  trap - TERM INT
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  say "ended by a signal"
  exit 143
}
trap end TERM INT
interruptible() {
  "$@" &
  child=$!
  code=0
  wait "$child" || code=$?
  child=
  return "$code"
}

base_backup() {
  rm -rf "$copy"
  mkdir -m 0700 "$copy"
  own postgres "$copy"
  # shellcheck disable=SC2086 # the user's switch is several words, or none
  interruptible $switch_user pg_basebackup -D "$copy" -R -X stream -c fast \
    ${REPLICATION_SLOT:+-S "$REPLICATION_SLOT"} -d "host=$PRIMARY_HOST port=$port user=$REPLICATION_USER \
passfile='$pgpass' connect_timeout=5 application_name=replica"
}

mkdir -p "$PGDATA"
own -R postgres "$PGDATA"
chmod 0700 "$PGDATA" # PostgreSQL refuses to start on anything wider

if [ -e "$copy" ]; then
  say "the copy in $PGDATA was interrupted; it is made again"
  find "$PGDATA" -mindepth 1 -delete
fi
if [ -s "$PGDATA/PG_VERSION" ]; then
  say "going on with the data in $PGDATA"
  write_pgpass
else
  foreign=$(find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name replication.pgpass | head -n 1)
  if [ -n "$foreign" ]; then
    say "$PGDATA is neither empty nor a replica: there is $foreign. Empty it, or set PGDATA to another folder"
    exit 1
  fi
  write_pgpass
  begun=$(date +%s)
  pause=1
  until base_backup; do
    rm -rf "$copy"
    if [ $(($(date +%s) - begun)) -ge "$wait_s" ]; then
      say "no copy of $PRIMARY_HOST:$port after $wait_s s; is it up, and may $REPLICATION_USER replicate?"
      exit 1
    fi
    say "the primary at $PRIMARY_HOST:$port does not give a copy yet; again in $pause s"
    interruptible sleep "$pause"
    [ "$pause" -ge 5 ] || pause=$((pause + 1))
  done
  find "$copy" -mindepth 1 -maxdepth 1 -exec mv {} "$PGDATA/" \;
  rmdir "$copy"
  say "the copy is made"
fi

trap - TERM INT
# shellcheck disable=SC2086
exec $switch_user postgres -D "$PGDATA" "$@"
