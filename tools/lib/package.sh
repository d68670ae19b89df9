# Debian package, tarball, and the root file system of the container image, all of build/release/holdfast. Everything
# goes to build/packages.

PACKAGES="$ROOT/build/packages"
PACKAGE_KINDS="deb tarball image"
# What the tarball leaves to the system: glibc and its loader cannot be moved; the C++ runtime needs a newer glibc than
# the rest does; OpenSSL and zlib get security updates, and libcurl and libpq, which are opened when they are
# needed, have to find the ones they were built with.
LIBRARIES_OF_THE_SYSTEM='^(ld-linux.*|libc|libm|libstdc\+\+|libgcc_s|libssl|libcrypto|libz)\.so'

package_version() { sed -nE 's/^project\(holdfast VERSION ([0-9.]+).*/\1/p' "$ROOT/CMakeLists.txt"; }

# The time that files in packages carry: the commit's, so that the same sources make the same packages.
package_epoch() {
  [[ -n ${SOURCE_DATE_EPOCH:-} ]] && echo "$SOURCE_DATE_EPOCH" && return
  git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md
}

# render_unit FILE NAME=TEXT...: the unit with its @NAME@ filled in.
render_unit() {
  local file=$1 pair arguments=()
  shift
  for pair in "$@"; do arguments+=(-e "s|@${pair%%=*}@|${pair#*=}|g"); done
  sed "${arguments[@]}" packaging/systemd/holdfast.service.in >"$file"
  ! grep -n '@[A-Z_]*@' "$file" || fail "$file has a place that nobody filled in"
}

# stage_units FOLDER
stage_units() {
  mkdir -p "$1"
  render_unit "$1/holdfast.service" \
    NOTE='One sidecar, for one application. A sidecar for each of several applications: holdfast@ID.service.' \
    DESCRIPTION='Holdfast, the sidecar that keeps the state of an application' \
    APP_ID=app SETTINGS=/etc/default/holdfast STATE=holdfast RUNTIME=holdfast
  render_unit "$1/holdfast@.service" \
    NOTE='One sidecar for each application: holdfast@ID.service. Ports are in /etc/holdfast/ID.env.' \
    DESCRIPTION='Holdfast, the sidecar that keeps the state of %i' \
    APP_ID=%i SETTINGS=/etc/holdfast/%i.env STATE=holdfast/%i RUNTIME=holdfast-%i
}

# stage_program PREFIX: what is the same in every package, as below /usr.
stage_program() {
  local prefix=$1 binary="$ROOT/build/release/holdfast"
  install -D -m 755 "$binary" "$prefix/bin/holdfast"
  mkdir -p "$prefix/share/man/man1" "$prefix/share/bash-completion/completions" \
    "$prefix/share/zsh/vendor-completions" "$prefix/share/fish/vendor_completions.d" "$prefix/share/doc/holdfast"
  "$binary" help --man >"$prefix/share/man/man1/holdfast.1"
  grep -q '^\.TH HOLDFAST' "$prefix/share/man/man1/holdfast.1" || fail "holdfast help --man printed no manual page"
  "$binary" completion bash >"$prefix/share/bash-completion/completions/holdfast"
  "$binary" completion zsh >"$prefix/share/zsh/vendor-completions/_holdfast"
  "$binary" completion fish >"$prefix/share/fish/vendor_completions.d/holdfast.fish"
  cp -r README.md doc "$prefix/share/doc/holdfast/"
  mkdir -p "$prefix/share/doc/holdfast/examples"
  cp -r packaging/kubernetes "$prefix/share/doc/holdfast/examples/"
}

# Directories and plain files are readable for everyone, whatever the umask of who builds.
readable_for_all() { chmod -R u=rwX,go=rX "$1"; }

checksum() { (cd "$PACKAGES" && sha256sum "$1" >"$1.sha256"); }

# A changelog as Debian wants it, of one entry.
debian_changelog() {
  cat <<TEXT
holdfast ($(package_version)) unstable; urgency=medium

  * What is new is in CHANGELOG.md beside this file.

 -- $(sed -n 's/^Maintainer: //p' packaging/debian/control)  $(date -R -u -d "@$(package_epoch)")
TEXT
}

package_deb() {
  local work="$PACKAGES/deb" tree="$PACKAGES/deb/holdfast/tree" deb
  deb="holdfast_$(package_version)_$(dpkg --print-architecture).deb"
  tool dh debhelper && tool dpkg-buildpackage dpkg-dev || fail "a Debian package needs debhelper and dpkg-dev"
  rm -rf "$work" && mkdir -p "$tree"
  stage_program "$tree/usr"
  stage_units "$tree/lib/systemd/system"
  install -D -m 644 packaging/etc/components/statestore.yaml "$tree/etc/holdfast/components/statestore.yaml"
  install -D -m 644 packaging/etc/default "$tree/etc/default/holdfast"
  readable_for_all "$tree"
  cp -r packaging/debian "$work/holdfast/"
  cp CHANGELOG.md "$work/holdfast/debian/"
  debian_changelog >"$work/holdfast/debian/changelog"
  (cd "$work/holdfast" && SOURCE_DATE_EPOCH=$(package_epoch) dpkg-buildpackage --build=binary --no-sign) >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "the Debian package cannot be built; the log is above"
  }
  ! grep '^dpkg-shlibdeps: warning' "$work/log" || fail "the package's dependencies are not what they should be"
  mv "$work/$deb" "$PACKAGES/"
  checksum "$deb"
  note "build/packages/$deb, $(stat -c %s "$PACKAGES/$deb" | numfmt --to=iec); it depends on $(dpkg-deb -f "$PACKAGES/$deb" Depends)"
}

# libraries_of FILE...: the shared libraries that would be loaded, as absolute paths.
libraries_of() {
  local missing
  missing=$(ldd "$@" | grep 'not found' || true)
  [[ -z $missing ]] || fail "libraries are missing: $missing"
  ldd "$@" | sed -nE 's/^[[:space:]]*(.* => )?(\/[^ ]+) \(.*/\2/p' | sort -u
}

# The Debian package that a file of this machine belongs to. /lib is a link to /usr/lib, and dpkg knows either name.
package_of_file() {
  local file=$1 other package
  other=$(realpath "$file")
  package=$({ dpkg-query -S "$file" "$other" "${other#/usr}" 2>/dev/null || true; } | sed 's/:.*//' | head -1)
  [[ -n $package ]] || fail "$file belongs to no Debian package, so neither its version nor its licence is known"
  echo "$package"
}

# stage_license PACKAGE FOLDER
stage_license() { install -D -m 644 "/usr/share/doc/$1/copyright" "$2/$1/copyright"; }

package_tarball() {
  local name tree library package
  name="holdfast-$(package_version)-linux-$(uname -m)"
  tree="$PACKAGES/tarball/$name"
  tool patchelf patchelf || fail "the tarball needs patchelf"
  rm -rf "$PACKAGES/tarball" && mkdir -p "$tree/lib/holdfast" "$tree/etc"
  stage_program "$tree"
  stage_units "$tree/etc/systemd"
  cp -r packaging/etc/components "$tree/etc/"
  cp packaging/tarball/INSTALL.md LICENSE CHANGELOG.md "$tree/"
  cp packaging/debian/copyright "$tree/share/doc/holdfast/"
  for library in $(libraries_of build/release/holdfast); do
    [[ $(basename "$library") =~ $LIBRARIES_OF_THE_SYSTEM ]] && continue
    install -m 644 "$library" "$tree/lib/holdfast/"
    package=$(package_of_file "$library")
    stage_license "$package" "$tree/share/doc/holdfast/licenses"
  done
  # RPATH rather than RUNPATH: it is also what the libraries find each other by.
  patchelf --force-rpath --set-rpath '$ORIGIN/../lib/holdfast' "$tree/bin/holdfast"
  readable_for_all "$tree"
  tar -C "$PACKAGES/tarball" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(package_epoch)" -c "$name" |
    gzip -9n >"$PACKAGES/$name.tar.gz"
  checksum "$name.tar.gz"
  note "build/packages/$name.tar.gz, $(stat -c %s "$PACKAGES/$name.tar.gz" | numfmt --to=iec), and its .sha256"
}

# stage_file FILE ROOT: a library of this machine, at its place in ROOT. Records which package it is from as distroless
# images do, so that scanners for vulnerabilities find it without a package manager.
stage_file() {
  local file=$1 root=$2 package
  package=$(package_of_file "$file")
  install -D -m "$(stat -L -c %a "$file")" "$file" "$root$file"
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  stage_license "$package" "$root/usr/share/doc"
}

# library_file SONAME: where this machine has it.
library_file() { ldconfig -p | sed -nE "s/.*${1//./\\.} .*x86-64.* => //p" | head -1; }

# The whole file system of the image: the binary, the libraries it loads, libcurl for traces, libpq, certificates of
# authorities, one user. No shell, no package manager. build/packages/image/state is what /var/lib/holdfast is made of:
# it is the only part that belongs to the user.
package_image() {
  local root="$PACKAGES/image/root" curl pq library certificates=/etc/ssl/certs/ca-certificates.crt
  curl=$(library_file libcurl.so.4)
  pq=$(library_file libpq.so.5)
  [[ -s $certificates && -n $curl && -n $pq ]] ||
    fail "the image needs ca-certificates, libcurl4 and libpq5; run tools/dev deps"
  rm -rf "$PACKAGES/image"
  mkdir -p "$PACKAGES/image/state" "$root"/{etc/holdfast,usr/bin,usr/lib,usr/lib64,var/lib/dpkg/status.d}
  ln -s usr/lib "$root/lib" && ln -s usr/lib64 "$root/lib64"
  install -m 755 build/release/holdfast "$root/usr/bin/holdfast"
  for library in "$curl" "$pq" $(libraries_of build/release/holdfast "$curl" "$pq"); do stage_file "$library" "$root"; done
  install -D -m 644 packaging/debian/copyright "$root/usr/share/doc/holdfast/copyright"
  install -D -m 644 LICENSE "$root/usr/share/common-licenses/Apache-2.0"
  install -D -m 644 "$certificates" "$root$certificates"
  cp -r packaging/etc/components "$root/etc/holdfast/"
  printf '%s\n' 'root:x:0:0:root:/:/sbin/nologin' \
    'holdfast:x:65532:65532:Holdfast sidecar:/var/lib/holdfast:/sbin/nologin' >"$root/etc/passwd"
  printf '%s\n' 'root:x:0:' 'holdfast:x:65532:' >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  readable_for_all "$root"
  mkdir -m 1777 "$root/tmp"
  note "build/packages/image, $(du -sh "$root" | cut -f1), $(find "$root" -name '*.so*' -type f | wc -l) libraries"
}

# A fresh Debian 12 with systemd, and in /debs what the Debian package depends on: made once for one list of
# dependencies. Prints its path; without it the tests that need it are skipped, and say so.
packaging_root() {
  local folder="$ROOT/.cache/packaging" deb="$1" wanted
  wanted=$(dpkg-deb -f "$deb" Depends)
  if [[ $(cat "$folder/made-for" 2>/dev/null) != "$wanted" ]]; then
    note "making a Debian root for the tests, in .cache/packaging" >&2
    rm -rf "$folder" && mkdir -p "$folder"
    tool mmdebstrap mmdebstrap && as_root mmdebstrap --quiet --variant=apt --include=systemd,systemd-sysv \
      --customize-hook="copy-in $deb /tmp" \
      --customize-hook='chroot "$1" sh -c "apt-get install -y -q --no-install-recommends --download-only /tmp/*.deb"' \
      --customize-hook='rm "$1"/tmp/*.deb && mkdir "$1/debs" && mv "$1"/var/cache/apt/archives/*.deb "$1/debs/"' \
      bookworm "$folder/root.tar" >"$folder/log" 2>&1 ||
      { tail -5 "$folder/log" >&2 && note "mmdebstrap cannot make it; the tests that need it will be skipped" >&2 && return; }
    echo "$wanted" >"$folder/made-for"
  fi
  echo "$folder/root.tar"
}

# What the tests of packages need beside Python.
packaging_tools() {
  tool lintian lintian && tool systemd-analyze systemd && tool systemd-nspawn systemd-container ||
    fail "the tests of packages need lintian, systemd and systemd-container"
}

# test_packages [PYTEST-ARGUMENT...]: of what is in build/packages.
test_packages() {
  local results="$RESULTS/package" deb
  deb=$(echo "$PACKAGES"/holdfast_"$(package_version)"_*.deb)
  rm -rf "$results" && mkdir -p "$results"
  python_environment packaging "$ROOT/.cache/venv-packaging"
  packaging_tools
  HOLDFAST_PACKAGES=$PACKAGES HOLDFAST_BIN=$ROOT/build/release/holdfast HOLDFAST_ROOT_TAR=$(packaging_root "$deb") \
    .cache/venv-packaging/bin/python -m pytest test/packaging -ra --junitxml "$results/pytest.xml" "$@"
  note "docker build is not run: it needs a container engine and debian:bookworm-slim from a registry. What it copies"
  note "into the image is made by the same script here, and tested; the Dockerfile is linted"
}

# make_packages KIND|all: of the binary that is there.
make_packages() {
  local kind kinds=$1
  [[ $kinds == all ]] && kinds=$PACKAGE_KINDS
  mkdir -p "$PACKAGES"
  for kind in $kinds; do timed "package $kind" "package_$kind"; done
}

dev_package() {
  local kind=${1:-all}
  [[ $kind == all || " $PACKAGE_KINDS " == *" $kind "* ]] || fail "package takes all or one of: $PACKAGE_KINDS"
  say "packages that the build needs" && dev_deps
  timed "configure release" configure release
  timed "build release" build_preset release holdfast
  make_packages "$kind"
}
