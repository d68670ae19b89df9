# Packages of Debian 12. packages.txt beside this file is the list.

wanted_packages() { grep -v '^#' "$ROOT/tools/lib/packages.txt"; }

# missing_packages [NAME=VERSION...]: those of these, or of the list, that are not installed in any version.
missing_packages() {
  local wanted
  for wanted in ${*:-$(wanted_packages)}; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "${wanted%%=*}" 2>/dev/null) == installed ]] || echo "$wanted"
  done
}

# Installed in another version than the one pinned: worth knowing when something behaves otherwise, no reason to stop.
note_other_versions() {
  local wanted have
  for wanted in $(wanted_packages); do
    [[ $wanted == *=* ]] || continue
    have=$(dpkg-query -W -f '${Version}' "${wanted%%=*}")
    [[ $have == "${wanted#*=}" ]] || note "${wanted%%=*} is $have; Holdfast is tested with ${wanted#*=}"
  done
}

as_root() {
  if [[ $(id -u) -eq 0 ]]; then env DEBIAN_FRONTEND=noninteractive "$@"; return; fi
  command -v sudo >/dev/null ||
    fail "packages have to be installed, which needs root, and there is no sudo. As root: apt-get install $(missing_packages | tr '\n' ' ')"
  sudo env DEBIAN_FRONTEND=noninteractive "$@"
}

# Takes each pin the archive still has; an archive keeps one version of a package, and security updates replace it.
available() {
  local wanted
  for wanted in "$@"; do
    if [[ $wanted == *=* ]] && ! apt-cache show "$wanted" >/dev/null 2>&1; then
      note "${wanted%%=*} ${wanted#*=} is gone from the archive; taking what it has now" >&2
      wanted=${wanted%%=*}
    fi
    echo "$wanted"
  done
}

dev_deps() {
  local missing began system
  began=$(now_ms)
  mapfile -t missing < <(missing_packages)
  if [[ ${#missing[@]} -eq 0 ]]; then
    note_other_versions
    note "every package is installed ($(seconds_since "$began"))"
    return
  fi
  system=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID:-}")
  [[ $system == "debian 12" ]] || note "this is $system; the packages are named and tested for Debian 12"
  command -v apt-get >/dev/null || fail "no apt-get here; install by hand what tools/lib/packages.txt lists"
  note "to install: ${missing[*]%%=*}"
  as_root apt-get update -q || fail "apt-get update failed; is the network reachable?"
  mapfile -t missing < <(available "${missing[@]}")
  # libboost1.81-dev and libboost1.74-dev exclude each other: apt removes the latter.
  if ! as_root apt-get install -y -q --no-install-recommends "${missing[@]}"; then
    note "the pinned versions do not go together with what is installed; trying without pins"
    as_root apt-get install -y -q --no-install-recommends "${missing[@]%%=*}" ||
      fail "apt-get cannot install these packages; its message above says why"
  fi
  note_other_versions
  note "packages took $(seconds_since "$began")"
}
