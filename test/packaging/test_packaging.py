"""What tools/dev package makes, used as its users would: installed, unpacked, booted, run as a container would run it."""
import contextlib
import gzip
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import kubernetes_validate
import pytest
import requests
import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "test/system"))
from conftest import BINARY, Sidecar, free_port, wait_until  # noqa: E402

PACKAGES = pathlib.Path(os.environ["HOLDFAST_PACKAGES"])
ROOT_TAR = os.environ.get("HOLDFAST_ROOT_TAR", "")
DEB = next(PACKAGES.glob("holdfast_*.deb"))
TARBALL = next(PACKAGES.glob("holdfast-*.tar.gz"))
# The oldest glibc that packaging/tarball/INSTALL.md names.
GLIBC_OF_THE_TARBALL = (2, 34)
KUBERNETES = sorted((REPOSITORY / "packaging/kubernetes").glob("*.yaml"))

# Root of a container without privileges may not.
MAY_MOUNT = os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode == 0
needs_root = pytest.mark.skipif(not MAY_MOUNT, reason="needs root that may mount: it changes the root directory")
needs_debian = pytest.mark.skipif(not (MAY_MOUNT and ROOT_TAR), reason="needs root that may mount, and the Debian that mmdebstrap makes")


def run(*command, **settings):
    """Its output, both streams. A failure shows it."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, **settings)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@contextlib.contextmanager
def temporary_root():
    """In memory: on a disk the sidecar's first commit would wait for all that was unpacked to be written."""
    with tempfile.TemporaryDirectory(prefix="holdfast-root-") as folder:
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        try:
            yield pathlib.Path(folder)
        finally:
            run("umount", "--lazy", folder)


@contextlib.contextmanager
def debian():
    """A fresh Debian that is thrown away afterwards."""
    with temporary_root() as root:
        run("tar", "-C", root, "-xf", ROOT_TAR)
        shutil.copy(DEB, root / "debs")
        yield root


def in_root(root, folder="/", user=0, group=0, alone=False):
    """Words to put before a command: it runs in another root directory, as another user, with a /proc of its own; alone
    means that it sees no process of this machine. It gets no signals then."""
    apart = ["--pid", "--fork", "--kill-child"] if alone else []
    return ["unshare", "--mount", *apart, "sh", "-ec", 'mount -t proc proc "$0/proc"; exec "$@"', str(root),
            "unshare", f"--root={root}", f"--wd={folder}", f"--setgid={group}", f"--setuid={user}", "--"]


class Packaged(Sidecar):
    """A sidecar started by a command line of a package's; free ports are appended, and the last flag of a name wins."""

    def __init__(self, directory, words, **settings):
        super().__init__(directory, components=None, start=False, **settings)
        self.words = [str(word) for word in words]

    def command(self):
        return [*self.words, "--dapr-http-port", str(self.http_port), "--dapr-grpc-port", str(self.grpc_port),
                "--metrics-port", str(self.metrics_port), "--metrics-listen-address", "127.0.0.1", *self.args]


def saves_and_gets(sidecar):
    """Through a restart, so that it is the store of the package's component and not some other."""
    state = sidecar.url + "/v1.0/state/statestore"
    for _ in range(2):
        with sidecar:
            sidecar.start()
            if requests.get(state + "/greeting").status_code == 204:
                assert requests.post(state, json=[{"key": "greeting", "value": "hello"}]).status_code == 204
            assert requests.get(state + "/greeting").json() == "hello"
        assert sidecar.stop() == 0, sidecar.log()


# The Debian package.


def test_lintian_finds_no_error_and_no_warning():
    print(run("lintian", "--allow-root", "--fail-on", "error,warning", DEB))


def test_the_package_has_what_belongs_to_a_program(tmp_path):
    run("dpkg-deb", "-x", DEB, tmp_path)
    run("dpkg-deb", "-e", DEB, tmp_path / "DEBIAN")
    assert run("dpkg-deb", "-f", DEB, "Version").strip() == run(BINARY, "--version").strip()
    assert (tmp_path / "DEBIAN/conffiles").read_text().split() == ["/etc/default/holdfast", "/etc/holdfast/components/statestore.yaml"]
    share = tmp_path / "usr/share"
    with gzip.open(share / "man/man1/holdfast.1.gz", "rt") as page:
        assert page.read() == run(BINARY, "help", "--man")
    for shell, file in {"bash": "bash-completion/completions/holdfast", "zsh": "zsh/vendor-completions/_holdfast",
                        "fish": "fish/vendor_completions.d/holdfast.fish"}.items():
        assert (share / file).read_text() == run(BINARY, "completion", shell)
    assert (share / "doc/holdfast/doc/deploying.md").read_text() == (REPOSITORY / "doc/deploying.md").read_text()
    run(BINARY, "check", "--strict", tmp_path / "etc/holdfast/components")


def test_systemd_takes_the_units_and_finds_little_that_they_may_do(tmp_path):
    run("dpkg-deb", "-x", DEB, tmp_path)
    # The units name programs by their path, and systemd looks for them in the unpacked package.
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/sh", tmp_path / "bin/sh")
    for unit in ("holdfast.service", "holdfast@orders.service"):
        # Targets and the like are the machine's.
        words = run("systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", "--recursive-errors=no", unit)
        assert words.strip() == ""
    # In tenths: what PrivateNetwork= and a root directory of its own would take away is what is left.
    print(run("systemd-analyze", "security", "--offline=true", "--threshold=12", tmp_path / "lib/systemd/system/holdfast.service"))


def exec_start(unit, settings):
    """The command of a unit with its variables put in, as systemd does it."""
    text = unit.read_text().replace("\\\n", " ")
    variables = dict(pair.split("=", 1) for line in re.findall(r"^Environment=(.*)$", text, re.M) for pair in line.split())
    variables |= settings
    words = re.search(r"^ExecStart=(.*)$", text, re.M)[1].split()
    whole = [variables[word[1:]].split() if re.fullmatch(r"\$\w+", word) else [word] for word in words]
    return [re.sub(r"\$\{(\w+)\}", lambda match: variables[match[1]], word) for words in whole for word in words]


def every_file(root):
    # The packages that /debs brings stay; what dpkg and systemd-sysusers note down is theirs.
    notes = ("var/lib/dpkg/", "var/log/", "var/cache/", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock")
    names = (str(path.relative_to(root)) for path in root.rglob("*"))
    return {name for name in names if not name.startswith(notes)}


@needs_debian
def test_installed_it_serves_and_purged_it_leaves_nothing(tmp_path):
    with debian() as root:
        # Maintainer scripts of systemd may signal what they see.
        dpkg = [*in_root(root, alone=True), "dpkg", "--force-unsafe-io"]
        needed = [f"/debs/{path.name}" for path in (root / "debs").iterdir() if path.name != DEB.name]
        run(*dpkg, "-i", *needed)
        before = every_file(root)
        run(*dpkg, "-i", f"/debs/{DEB.name}")
        user, group = (int(run(*in_root(root), "id", option, "holdfast")) for option in ("-u", "-g"))
        state = root / "var/lib/holdfast"
        assert not state.exists()  # systemd makes it
        state.mkdir(mode=0o700)
        os.chown(state, user, group)
        command = exec_start(root / "lib/systemd/system/holdfast.service", {})
        saves_and_gets(Packaged(tmp_path, [*in_root(root, "/var/lib/holdfast", user, group), *command]))
        assert (state / "state.db").stat().st_uid == user
        run(*dpkg, "-P", "holdfast")
        assert every_file(root) == before


@needs_debian
def test_booted_it_is_a_service_of_systemd():
    with debian() as root:
        # A temporary folder may have an underscore in its name, a machine may not.
        nspawn = ["systemd-nspawn", f"--directory={root}", f"--machine=holdfast-test-{os.getpid()}", "--register=no", "--keep-unit", "--private-network"]
        tried = subprocess.run([*nspawn, "true"], capture_output=True, text=True, timeout=60)
        if tried.returncode != 0:
            pytest.skip(f"systemd-nspawn cannot run a container here: {tried.stderr.strip()}")
        shutil.copy(pathlib.Path(__file__).with_name("booted.sh"), root / "booted.sh")
        units = root / "etc/systemd/system"
        (units / "booted.service").write_text(
            "[Unit]\nAfter=basic.target\n"
            "[Service]\nType=oneshot\nExecStart=/bin/bash /booted.sh\nExecStopPost=/bin/systemctl poweroff --no-block\n"
            "StandardOutput=file:/booted.log\nStandardError=inherit\n")
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        (units / "multi-user.target.wants/booted.service").symlink_to("../booted.service")
        console = subprocess.run([*nspawn, "--boot"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
        log = root / "booted.log"
        text = log.read_text() if log.exists() else f"nothing was run: {console.stdout}"
        assert text.endswith("booted: all of it passed\n"), text


# The tarball.


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tarball")
    run("sha256sum", "-c", f"{TARBALL.name}.sha256", cwd=PACKAGES)
    run("tar", "-C", folder, "-xf", TARBALL)
    return folder / TARBALL.name.removesuffix(".tar.gz")


def test_the_tarball_runs_where_it_is_unpacked(unpacked, tmp_path):
    run("bin/holdfast", "check", "--strict", "etc/components", cwd=unpacked)
    work = tmp_path / "work"
    work.mkdir()
    saves_and_gets(Packaged(tmp_path, ["env", "-C", work, unpacked / "bin/holdfast", "serve", "--resources-path", unpacked / "etc/components"]))
    assert (work / "state.db").exists()


@needs_debian
def test_the_tarball_brings_its_libraries(unpacked, tmp_path):
    with debian() as root:
        assert not list((root / "usr/lib").rglob("libprotobuf*")), "this Debian has the libraries already"
        shutil.copytree(unpacked, root / "opt/holdfast")
        command = "/opt/holdfast/bin/holdfast serve --resources-path /opt/holdfast/etc/components".split()
        saves_and_gets(Packaged(tmp_path, [*in_root(root, "/tmp"), *command]))


def test_the_tarball_needs_no_newer_glibc_than_it_says(unpacked):
    assert f"glibc {'.'.join(map(str, GLIBC_OF_THE_TARBALL))}," in (unpacked / "INSTALL.md").read_text()
    programs = [unpacked / "bin/holdfast", *(unpacked / "lib/holdfast").iterdir()]
    needed = re.findall(r"GLIBC_(\d+)\.(\d+)", run("objdump", "-T", *programs))
    assert max((int(major), int(minor)) for major, minor in needed) == GLIBC_OF_THE_TARBALL


# The container image.

DOCKERFILE = REPOSITORY / "packaging/docker/Dockerfile"


def final_stage():
    """The instructions of the Dockerfile's last stage, as (name, argument)."""
    lines = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text()).splitlines()
    instructions = [tuple(line.split(None, 1)) for line in lines if line and not line.startswith("#")]
    begin = max(i for i, (name, _) in enumerate(instructions) if name == "FROM")
    assert instructions[begin] == ("FROM", "scratch")
    return instructions[begin + 1:]


@contextlib.contextmanager
def image():
    """The root directory that the last stage makes; its other instructions by name."""
    with temporary_root() as root:
        settings = {}
        for name, argument in final_stage():
            if name != "COPY":
                settings[name] = argument
                continue
            *flags, source, target = argument.split()
            options = dict(flag.removeprefix("--").split("=") for flag in flags)
            folder = PACKAGES / pathlib.Path(source).relative_to("/src/build/packages")
            place = root / target.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            run("cp", "-a", f"{folder}/.", place)
            if "chown" in options:
                run("chown", "-R", options["chown"], place)
        # What every container gets when it starts.
        (root / "proc").mkdir()
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        yield root, settings


def test_hadolint_finds_nothing():
    assert run(pathlib.Path(sys.executable).with_name("hadolint"), DOCKERFILE) == ""


@needs_root
def test_the_image_serves_as_its_own_user_without_a_shell(tmp_path):
    with image() as (root, settings):
        user, group = settings["USER"].split(":")
        inside = in_root(root, settings["WORKDIR"], user, group)
        command = json.loads(settings["ENTRYPOINT"]) + json.loads(settings["CMD"])
        sidecar = Packaged(tmp_path, [*inside, *command, "--dapr-listen-addresses", "127.0.0.1"])
        saves_and_gets(sidecar)
        assert (root / "var/lib/holdfast/state.db").stat().st_uid == int(user)
        check = re.search(r"CMD (\[.*\])", settings["HEALTHCHECK"])[1]
        with sidecar:
            sidecar.start()
            run(*inside, *json.loads(check), "--dapr-http-port", sidecar.http_port)
        assert not [name for name in ("sh", "bash", "dash", "busybox") if list(root.rglob(name))]


@needs_root
def test_the_image_has_every_library_also_of_those_that_are_opened_later():
    with image() as (root, _):
        loader = [*in_root(root), "/lib64/ld-linux-x86-64.so.2", "--list"]
        for file in (root / "usr/bin/holdfast", *(next(root.rglob(name)) for name in ("libcurl.so.4", "libpq.so.5"))):
            assert "not found" not in run(*loader, f"/{file.relative_to(root)}")
        packages = root / "var/lib/dpkg/status.d"
        assert {"libc6", "libssl3", "libcurl4", "libpq5"} <= {path.name for path in packages.iterdir()}


# Kubernetes.


def documents(file):
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.stem)
@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_kubernetes_takes_the_manifests(file, version):
    for document in documents(file):
        kubernetes_validate.validate(document, version, strict=True)


class Pod:
    """What the kubelet would make of a manifest, as folders: a ConfigMap and a Secret the way it mounts and changes them."""

    def __init__(self, folder, deployment):
        self.folder = folder
        others = {document["kind"]: document for file in KUBERNETES for document in documents(file)}
        self.components = others["ConfigMap"]["data"]
        self.token = others["Secret"]["stringData"]["token"]
        spec = deployment["spec"]["template"]["spec"]
        everyone = spec.get("initContainers", []) + spec["containers"]
        self.container = next(container for container in everyone if container["name"] == "holdfast")
        self.places = {mount["mountPath"]: folder / mount["name"] for mount in self.container["volumeMounts"]}
        for place in self.places.values():
            place.mkdir()
        self.publish("components", self.components)
        self.publish("token", {"token": self.token})

    def here(self, text):
        """Paths of the pod as paths of this test."""
        for there, place in self.places.items():
            text = text.replace(there + "/", f"{place}/") if not text.endswith(there) else text.replace(there, str(place))
        return text

    def publish(self, volume, files):
        """The kubelet's way: a new folder, and one link that is exchanged."""
        place = self.folder / volume
        fresh = pathlib.Path(tempfile.mkdtemp(prefix="..", dir=place))
        for name, text in files.items():
            (fresh / name).write_text(self.here(text))
            if not (place / name).is_symlink():
                (place / name).symlink_to(f"..data/{name}")
        (place / "..data_tmp").symlink_to(fresh.name)
        (place / "..data_tmp").rename(place / "..data")

    def args(self, **ports):
        words = [self.here(word) for word in self.container["args"]]
        return words + [f"--{name.replace('_', '-')}={port}" for name, port in ports.items()]

    def probe(self, name, port):
        return requests.get(f"http://127.0.0.1:{port}{self.container[name]['httpGet']['path']}").status_code


@pytest.mark.parametrize("file", [file for file in KUBERNETES if file.stem.startswith("deployment")], ids=lambda file: file.stem)
def test_the_sidecar_of_a_manifest_passes_its_probes_and_takes_a_new_configmap(file, tmp_path):
    pod = Pod(tmp_path, documents(file)[0])
    public, application = free_port(), free_port()
    args = pod.args(dapr_public_port=public, dapr_public_listen_address="127.0.0.1", app_port=application,
                    dapr_block_shutdown_duration="10ms")
    with Packaged(tmp_path / "sidecar", [BINARY, *args]) as sidecar:
        sidecar.start()
        assert (pod.probe("startupProbe", public), pod.probe("livenessProbe", public)) == (204, 204)
        assert pod.probe("readinessProbe", public) == 500  # the application does not listen yet
        state = sidecar.url + "/v1.0/state/statestore"
        assert requests.get(state + "/a").status_code == 401
        requests.post(state, json=[{"key": "a", "value": 1}], headers={"dapr-api-token": pod.token}).raise_for_status()
        assert (tmp_path / "state/state.db").exists()
        with socket.create_server(("127.0.0.1", application)):
            wait_until(lambda: pod.probe("readinessProbe", public) == 204, "the pod to be ready")
        changed = {name: text.replace("name: statestore", "name: renamed") for name, text in pod.components.items()}
        pod.publish("components", changed)
        named = lambda: [store["name"] for store in requests.get(f"http://127.0.0.1:{public}/v1.0/metadata").json()["components"]]
        wait_until(lambda: named() == ["renamed"], "the changed ConfigMap to be read")
    assert sidecar.stop() == 0, sidecar.log()
