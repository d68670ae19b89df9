# The programs in test/system/clients that drive the sidecar, most of them with Dapr's SDKs. Each is built once into
# .cache/clients/NAME, for the sources it was built from; the file NAME/made-for says that it is complete. One that
# cannot be built leaves its reason in NAME.log, and its tests fail with it. Python's needs no more than .cache/venv.

CLIENTS="$ROOT/.cache/clients"
CLIENT_NAMES="node go java linearizability"
# Dapr's Go SDK asks for Go 1.22; Debian 12 has 1.19. From 1.21 on the go command fetches the toolchain it needs itself.
GO_TOOLCHAIN=v0.0.1-go1.22.12

# tool COMMAND PACKAGE: installs the package when the command is not there. Says nothing on standard output, which some
# callers return a path on.
tool() {
  command -v "$1" >/dev/null && return
  { as_root apt-get update -q && as_root apt-get install -y -q --no-install-recommends "$2"; } >&2 && command -v "$1" >/dev/null && return
  echo "$1 is needed and $2 cannot be installed" >&2
  return 1
}

# A Go that can build the client, as GO.
go_command() {
  local minor module from
  tool go golang-go || return 1
  GO=go
  minor=$(go env GOVERSION | sed -nE 's/^go1\.([0-9]+).*/\1/p')
  [[ ${minor:-0} -ge 21 ]] && return
  # The toolchain is a module like any other, checked against Go's checksum database; only its programs have to be made
  # executable, which go 1.19 does not know of.
  GO="$ROOT/.cache/go/bin/go"
  export GOTOOLCHAIN=local
  [[ -x $GO ]] && return
  module="golang.org/toolchain@$GO_TOOLCHAIN.$(go env GOHOSTOS)-$(go env GOHOSTARCH)"
  from=$(cd / && go mod download -json "$module" | sed -nE 's/.*"Dir": "(.*)".*/\1/p')
  [[ -d $from ]] || { echo "$module cannot be downloaded"; return 1; }
  mkdir -p "$ROOT/.cache" && rm -rf "$ROOT/.cache/go" && cp -r "$from" "$ROOT/.cache/go" &&
    chmod -R u+w "$ROOT/.cache/go" && chmod +x "$ROOT"/.cache/go/bin/* "$ROOT"/.cache/go/pkg/tool/*/*
}

# client_NAME FOLDER: builds from the sources in the current directory.
client_node() {
  tool node nodejs && tool npm npm || return 1
  cp package.json package-lock.json "$1" && npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund
}

client_go() { go_command && "$GO" build -trimpath -o "$1/client" .; }

# etcd's Go client as an application uses it, beside which `bench` measures.
ETCD_BY_HAND=test/bench/etcd_by_hand
client_etcd_by_hand() { client_go "$1"; }

# No SDK: it records histories and checks them.
client_linearizability() { client_go "$1"; }

client_java() {
  tool javac default-jdk-headless && tool mvn maven || return 1
  mvn --batch-mode --quiet -Dclient.directory="$1" compile dependency:copy-dependencies
}

# Not `set -e`: bash switches it off in a function whose failure is looked at. The builders chain their commands.
# build_client NAME [SOURCES]
build_client() {
  local name=$1 sources=${2:-test/system/clients/$1} folder="$CLIENTS/$1" log="$CLIENTS/$1.log" wanted
  mkdir -p "$CLIENTS"
  wanted=$({ git ls-files -z -co --exclude-standard "$sources" | sort -z | xargs -0 sha256sum; } | sha256sum | cut -c1-64)
  [[ $(cat "$folder/made-for" 2>/dev/null) == "$wanted" ]] && return
  note "building $sources into .cache/clients"
  rm -rf "$folder" && mkdir -p "$folder"
  if (cd "$sources" && "client_$name" "$folder") >"$log" 2>&1; then
    echo "$wanted" >"$folder/made-for"
  else
    note "it cannot be built, and its tests will fail; $log says:"
    tail -5 "$log"
  fi
}

sdk_clients() {
  local name
  for name in $CLIENT_NAMES; do build_client "$name"; done
}

dev_clients() { timed "build the programs that use Dapr's SDKs" sdk_clients; }

# What clients/cpp needs beside the packages of a build; g++ only reads its public headers.
CPP_CLIENT_PACKAGES="libgrpc++-dev=1.51.1-3+b1 protobuf-compiler-grpc=1.51.1-3+b1 g++"

cpp_client_packages() {
  local missing
  # shellcheck disable=SC2086
  mapfile -t missing < <(missing_packages $CPP_CLIENT_PACKAGES)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  as_root apt-get update -q && mapfile -t missing < <(available "${missing[@]}") &&
    as_root apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# The library with its tests, as sanitizers see it; installed; and the examples, which find it where it was installed, and
# once more with its sources in theirs.
cpp_client_build() {
  local build="$ROOT/build/cpp-client" wrapper=${HOLDFAST_BUILD_WRAPPER:-} settings=(
    -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
    "-DCMAKE_CXX_FLAGS=-Werror -fsanitize=address,undefined -fno-sanitize-recover=all"
    -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19 -DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
  cpp_client_packages &&
    $wrapper cmake -S clients/cpp -B "$build" "${settings[@]}" -DHOLDFAST_CLIENT_TESTS=ON &&
    $wrapper ninja -C "$build" -j "$JOBS" &&
    cmake --install "$build" --prefix "$build/prefix" &&
    $wrapper cmake -S clients/cpp/examples -B "$build/examples" "${settings[@]}" -DCMAKE_PREFIX_PATH="$build/prefix" &&
    $wrapper ninja -C "$build/examples" -j "$JOBS" &&
    $wrapper cmake -S clients/cpp/examples -B "$build/within" "${settings[@]}" -DHOLDFAST_CLIENT_SOURCES="$ROOT/clients/cpp" &&
    $wrapper ninja -C "$build/within" -j "$JOBS"
}

# In build/cpp-client, where test/system/test_cpp_client.py looks for its programs.
cpp_client() {
  local log="$ROOT/build/cpp-client.log"
  mkdir -p "$ROOT/build"
  cpp_client_build >"$log" 2>&1 && return
  note "clients/cpp cannot be built, and its tests will fail; $log says:"
  grep -E 'error|Error' "$log" | head -5
  tail -5 "$log"
  rm -rf "$ROOT/build/cpp-client"
  return 1
}

dev_client_cpp() { timed "build clients/cpp and its examples" cpp_client; }
