# Real servers that tests look at: fetched once into .cache/servers, never installed. A test starts its own, on a free
# port, and ends it by its process id. What cannot be fetched here is said, and its test is skipped with that reason.

SERVERS="$ROOT/.cache/servers"
ZIPKIN_VERSION=3.5.1
MAVEN_COPY=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy

# maven_copy GROUP:ARTIFACT:VERSION:KIND:CLASSIFIER FILE
maven_copy() {
  tool java default-jdk-headless && tool mvn maven &&
    mvn -q -B "$MAVEN_COPY" -Dartifact="$1" -DoutputDirectory="$SERVERS" >&2 && [[ -s $2 ]]
}

# The path of Zipkin's server.
zipkin_jar() {
  local jar="$SERVERS/zipkin-server-$ZIPKIN_VERSION-exec.jar"
  mkdir -p "$SERVERS"
  [[ -s $jar ]] || maven_copy "io.zipkin:zipkin-server:$ZIPKIN_VERSION:jar:exec" "$jar" ||
    { note "Zipkin cannot be fetched here; its test will be skipped" >&2 && return; }
  tool java default-jdk-headless && echo "$jar"
}

# The folder with prometheus and promtool, of Debian's package, unpacked: an installed one would start by itself.
prometheus_folder() {
  local folder="$SERVERS/prometheus"
  if [[ ! -x $folder/usr/bin/prometheus ]]; then
    mkdir -p "$folder"
    (cd "$folder" && { apt-get download -q prometheus || { as_root apt-get update -q && apt-get download -q prometheus; }; } &&
      dpkg-deb -x prometheus_*.deb .) >&2 || { note "Prometheus cannot be fetched here; its test will be skipped" >&2 && return; }
  fi
  echo "$folder/usr/bin"
}

dev_up() {
  case ${1:-} in
    zipkin) exec java -jar "$(zipkin_jar)" ;;
    prometheus) exec "$(prometheus_folder)/prometheus" --config.file=/dev/null --storage.tsdb.path="$SERVERS/prometheus/data" ;;
    redis) up_redis redis-server ;;
    redis-stack) up_redis redis-stack ;;
    valkey) up_redis valkey-server ;;
    redis-cluster) up_redis_cluster ;;
    redis-sentinel) up_redis_sentinel ;;
    postgresql) up_postgresql ;;
    postgresql-standbys) up_postgresql_standbys ;;
    etcd) up_etcd ;;
    etcd-cluster) up_etcd_cluster ;;
    memcached) up_memcached ;;
    *) fail "there are: redis, redis-cluster, redis-sentinel, redis-stack, valkey, postgresql, postgresql-standbys, etcd, etcd-cluster, memcached, zipkin, prometheus" ;;
  esac
}
