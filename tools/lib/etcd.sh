# etcd, for tests and for trying things out: 3.4, which Debian 12 has, and 3.5, which Debian 13 has. Fetched once into
# .cache/servers and never installed: an installed one would start by itself. Launchers stand in .cache/servers/bin; tests
# find them there, or take the programs that HOLDFAST_ETCD_34 and HOLDFAST_ETCD_35 name.

ETCD_34_PACKAGES="etcd-server=3.4.23-4+b4"
ETCD_35_PACKAGES="etcd-server=3.5.16-4 etcd-client=3.5.16-4"

fetch_etcd_34() {
  # shellcheck disable=SC2086
  { unpack_packages "$SERVERS/etcd-3.4" own $ETCD_34_PACKAGES ||
    { as_root apt-get update -q && unpack_packages "$SERVERS/etcd-3.4" own $ETCD_34_PACKAGES; }; } &&
    write_launcher etcd-34 etcd-3.4/usr/bin/etcd ''
}

fetch_etcd_35() {
  # shellcheck disable=SC2086
  unpack_packages "$SERVERS/etcd-3.5" trixie $ETCD_35_PACKAGES &&
    ln -sf ../etcd-3.5/usr/bin/etcdctl "$SERVERS/bin/etcdctl" &&
    write_launcher etcd-35 etcd-3.5/usr/bin/etcd ''
}

# Its gateway answers in JSON.
etcd_answers() { [[ $(curl -s -m 2 "http://127.0.0.1:$1/health" 2>/dev/null) == *'"true"'* ]]; }

# etcd_nodes NAME PORT COUNT: servers that keep nothing; clients take PORT, PORT+10 and so on, peers the port above.
etcd_nodes() {
  local name=$1 port=$2 count=$3 server folder="$SERVERS/data/$1" i cluster='' clients=()
  server=$(needed_server etcd-35)
  rm -rf "$folder" && mkdir -p "$folder"
  trap 'kill $(jobs -p) 2>/dev/null' EXIT
  for ((i = 0; i < count; i++)); do
    cluster+=",n$i=http://127.0.0.1:$((port + 10 * i + 1))"
    clients+=("127.0.0.1:$((port + 10 * i))")
  done
  for ((i = 0; i < count; i++)); do
    "$server" --name "n$i" --data-dir "$folder/n$i" --initial-cluster "${cluster#,}" --initial-cluster-token "$name" \
      --listen-client-urls "http://127.0.0.1:$((port + 10 * i))" --unsafe-no-fsync \
      --advertise-client-urls "http://127.0.0.1:$((port + 10 * i))" \
      --listen-peer-urls "http://127.0.0.1:$((port + 10 * i + 1))" \
      --initial-advertise-peer-urls "http://127.0.0.1:$((port + 10 * i + 1))" >"$folder/n$i.log" 2>&1 &
  done
  for ((i = 0; i < count; i++)); do
    wait_until 20 etcd_answers $((port + 10 * i)) || fail "no server answers on port $((port + 10 * i)); see $folder/n$i.log"
  done
  note "etcd answers on ${clients[*]}; .cache/servers/bin/etcdctl speaks to it; Ctrl-C ends it"
  wait
}

up_etcd() { etcd_nodes etcd "${ETCD_PORT:-2379}" 1; }
up_etcd_cluster() { etcd_nodes etcd-cluster "${ETCD_PORT:-2379}" 3; }
