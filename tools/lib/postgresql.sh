# PostgreSQL, for tests and for trying things out. Fetched once into .cache/servers/postgresql and never installed: an
# installed one would start by itself. Launchers stand in .cache/servers/bin with those of Redis; tests find them there,
# or take the folder of programs that HOLDFAST_POSTGRESQL names, such as /usr/lib/postgresql/15/bin.

POSTGRESQL_PACKAGES="postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1"
# The last is the one that is looked for.
POSTGRESQL_PROGRAMS="initdb pg_basebackup pg_ctl pg_isready pg_rewind pgbench psql postgres"

fetch_postgres() {
  local program libraries
  # shellcheck disable=SC2086
  unpack_packages "$SERVERS/postgresql" own $POSTGRESQL_PACKAGES ||
    { as_root apt-get update -q && unpack_packages "$SERVERS/postgresql" own $POSTGRESQL_PACKAGES; } || return 1
  libraries=$(libraries_below postgresql)
  for program in $POSTGRESQL_PROGRAMS; do
    write_launcher "$program" "postgresql/usr/lib/postgresql/15/bin/$program" "$libraries" || return 1
  done
}

# The folder of the programs, which are fetched when they are not there; empty when they cannot be.
postgresql_programs() {
  local postgres
  postgres=$(store_server postgres)
  [[ -z $postgres ]] || dirname "$postgres"
}

# postgresql_node PORT DATA [SETTING...]: a server in the background. It has no Unix socket: in a deep folder its path
# would be too long.
postgresql_node() {
  local port=$1 data=$2
  shift 2
  "$ROOT/tools/lib/not-root" "$SERVERS/bin/postgres" -D "$data" -p "$port" -k '' "${@/#/--}" >"$data.log" 2>&1 &
  wait_until 10 "$SERVERS/bin/pg_isready" -q -h 127.0.0.1 -p "$port" ||
    fail "no server answers on port $port; see $data.log"
}

# new_postgresql_folder NAME: an empty one for the data of servers that keep nothing.
new_postgresql_folder() {
  local folder="$SERVERS/data/$1"
  needed_server postgres >/dev/null
  rm -rf "$folder" && mkdir -p "$folder"
  "$ROOT/tools/lib/not-root" "$ROOT/tools/lib/postgresql-data" "$SERVERS/bin" "$folder/primary" >"$folder/log" 2>&1 ||
    fail "there can be no data for a server; see $folder/log"
}

say_postgresql() { note "$1: host=127.0.0.1 port=$2 user=app password=app-password dbname=app"; }

up_postgresql() {
  local port=${POSTGRESQL_PORT:-5432}
  new_postgresql_folder postgresql
  trap 'kill $(jobs -p) 2>/dev/null' EXIT
  postgresql_node "$port" "$SERVERS/data/postgresql/primary"
  say_postgresql "the server" "$port"
  note "superuser postgres, postgres-password; its log is $SERVERS/data/postgresql/primary.log; Ctrl-C ends it"
  wait
}

# A primary and two standbys, one of which has to have what a commit wrote before the commit ends.
up_postgresql_standbys() {
  local port=${POSTGRESQL_PORT:-5432} folder="$SERVERS/data/postgresql-standbys" i
  new_postgresql_folder postgresql-standbys
  trap 'kill $(jobs -p) 2>/dev/null' EXIT
  postgresql_node "$port" "$folder/primary" "synchronous_standby_names=FIRST 1 (s1, s2)"
  for i in 1 2; do
    "$ROOT/tools/lib/not-root" "$SERVERS/bin/pg_basebackup" -D "$folder/s$i" -R -c fast --no-sync \
      -d "host=127.0.0.1 port=$port user=postgres password=postgres-password application_name=s$i" \
      >>"$folder/log" 2>&1 || fail "there can be no standby; see $folder/log"
    postgresql_node $((port + i)) "$folder/s$i"
  done
  say_postgresql "primary" "$port"
  say_postgresql "standby s1, synchronous" $((port + 1))
  say_postgresql "standby s2" $((port + 2))
  note "superuser postgres, postgres-password; logs are in $folder; Ctrl-C ends all of it"
  wait
}
