# memcached, for tests and for trying things out. Fetched once into .cache/servers and never installed: an installed one
# would start by itself. Its launcher stands in .cache/servers/bin; tests find it there, or take the program that
# HOLDFAST_MEMCACHED names.

MEMCACHED_PACKAGES="memcached=1.6.18-1+deb12u1 libevent-2.1-7 libsasl2-2"

fetch_memcached() {
  # shellcheck disable=SC2086
  { unpack_packages "$SERVERS/memcached" own $MEMCACHED_PACKAGES ||
    { as_root apt-get update -q && unpack_packages "$SERVERS/memcached" own $MEMCACHED_PACKAGES; }; } &&
    write_launcher memcached memcached/usr/bin/memcached "$(libraries_below memcached)"
}

up_memcached() {
  local server user=()
  server=$(needed_server memcached)
  [[ $(id -u) -ne 0 ]] || user=(-u root)  # it runs as root only when told to
  note "memcached on 127.0.0.1:${MEMCACHED_PORT:-11211}; Ctrl-C ends it"
  exec "$server" -l 127.0.0.1 -p "${MEMCACHED_PORT:-11211}" "${user[@]}"
}
