#!/bin/bash
# Runs as root in a Debian that has just booted, with the package and what it needs in /debs: what only a running systemd
# can show. The last line says that all of it passed. test_packaging.py starts it, and reads what it prints.
set -euxo pipefail

until_true() {  # until_true COMMAND...: for 20 seconds at most
  for _ in {1..200}; do
    "$@" && return
    sleep 0.1
  done
  return 1
}
main_pid() { systemctl show -p MainPID --value "$1"; }
is_another_process() { [[ $(main_pid "$1") != 0 && $(main_pid "$1") != "$2" ]] && systemctl is-active --quiet "$1"; }
value() { holdfast state get statestore "$1" --address "http://127.0.0.1:$2"; }

dpkg --force-unsafe-io -i /debs/*.deb

: "nothing starts by itself"
[[ $(systemctl is-enabled holdfast || true) == disabled ]]
[[ $(systemctl is-active holdfast || true) == inactive ]]

: "started means that it answers, in a sandbox, on loopback only"
systemctl start holdfast
holdfast state put statestore who '"app"' --address http://127.0.0.1:3500
[[ $(value who 3500) == '"app"' ]]
grep -Eq '^Seccomp:\s+2$' "/proc/$(main_pid holdfast)/status"
grep -Eq '^CapEff:\s+0+$' "/proc/$(main_pid holdfast)/status"
grep -Eq '^NoNewPrivs:\s+1$' "/proc/$(main_pid holdfast)/status"
[[ $(stat -c '%U %a' /var/lib/holdfast) == "holdfast 700" ]]
# Column 2 is the local address, column 4 the state: 0A listens.
[[ $(awk '$4 == "0A" {print $2}' /proc/net/tcp | grep -cv '^0100007F:') == 0 ]]

: "systemctl reload keeps the process"
before=$(main_pid holdfast)
systemctl reload holdfast
until_true systemctl is-active --quiet holdfast
until_true value who 3500
[[ $(main_pid holdfast) == "$before" ]]

: "a process that was killed comes back with its state"
kill -9 "$before"
until_true is_another_process holdfast "$before"
[[ $(value who 3500) == '"app"' ]]

: "an instance for each application, with ports and state of its own, or sockets"
printf '%s\n' DAPR_HTTP_PORT=3510 DAPR_GRPC_PORT=50011 HOLDFAST_METRICS_PORT=9091 >/etc/holdfast/orders.env
printf '%s\n' HOLDFAST_METRICS_PORT=9092 'HOLDFAST_FLAGS="--unix-domain-socket /run/holdfast-my-shop"' >/etc/holdfast/my-shop.env
systemctl enable --now holdfast@orders holdfast@my-shop
holdfast state put statestore who '"orders"' --address http://127.0.0.1:3510
[[ $(value who 3510) == '"orders"' && $(value who 3500) == '"app"' ]]
[[ -s /var/lib/holdfast/orders/state.db && -s /var/lib/holdfast/my-shop/state.db ]]
[[ $(stat -c '%G %a' /run/holdfast-my-shop/dapr-my-shop-http.socket) == "holdfast 770" ]]

: "an upgrade restarts what runs, and nothing else"
systemctl stop holdfast@my-shop
before=$(main_pid holdfast) orders_before=$(main_pid holdfast@orders)
dpkg --force-unsafe-io -i /debs/holdfast_*.deb
is_another_process holdfast "$before"
is_another_process holdfast@orders "$orders_before"
[[ $(systemctl is-active holdfast@my-shop || true) == inactive ]]
[[ $(value who 3510) == '"orders"' && $(value who 3500) == '"app"' ]]

: "a flag that does not exist is not tried again and again"
echo 'HOLDFAST_FLAGS=--nope' >>/etc/default/holdfast
if systemctl restart holdfast; then exit 1; fi
[[ $(systemctl show -p Result,ExecMainStatus,NRestarts holdfast | sort | paste -sd' ') == "ExecMainStatus=2 NRestarts=0 Result=exit-code" ]]

: "a removal stops everything and keeps the state; a purge keeps nothing but the user"
dpkg -r holdfast
[[ -z $(pidof holdfast) ]]
[[ -s /var/lib/holdfast/orders/state.db ]]
dpkg -P holdfast
[[ -z $(find / -xdev -name '*holdfast*' -not -path '/proc/*' -not -path '/debs/*') ]]
getent passwd holdfast

echo "booted: all of it passed"
