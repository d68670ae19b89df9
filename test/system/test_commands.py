"""Help, the manual page and shell completion, in the hands of the programs they are for."""
import os
import shutil
import subprocess

import pytest

from conftest import BINARY


def holdfast(*args):
    done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture
def page(tmp_path):
    code, out, _ = holdfast("help", "--man")
    assert code == 0
    file = tmp_path / "holdfast.1"
    file.write_text(out)
    return file


@needs("groff")
def test_groff_formats_the_manual_page_without_a_warning(page):
    done = subprocess.run(["groff", "-man", "-ww", "-Tascii", page], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("HOLDFAST(1)", "holdfast check [PATH...]", "--dapr-http-port"):
        assert text in strip_overstrikes(done.stdout), text


def strip_overstrikes(text):
    import re
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", text)


@needs("mandoc")
def test_mandoc_has_nothing_to_say_about_the_manual_page(page):
    done = subprocess.run(["mandoc", "-Tlint", page], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""


@pytest.fixture
def script(tmp_path, request):
    shell = request.function.__name__.split("_")[1]
    code, out, _ = holdfast("completion", shell)
    assert code == 0
    file = tmp_path / f"completion.{shell}"
    file.write_text(out)
    return file


def complete_in_bash(script, *words, cwd=None):
    program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holdfast; '
               'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", program, "bash", script, "holdfast", *words], capture_output=True,
                          text=True, timeout=60, cwd=cwd)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("words, offered", [
    ([""], ["serve", "state", "token", "check", "init", "schema", "completion", "version", "help"]),
    (["ch"], ["check"]),
    (["state", ""], ["get", "put", "patch", "delete", "clear", "ls", "watch", "txn", "info", "backup", "migrate", "export", "import"]),
    (["state", "g"], ["get"]),
    (["token", ""], ["create", "list", "revoke"]),
    (["state", "get", "--"], ["--record", "--isolation", "--json", "--address", "--resources-path", "--app-id"]),
    (["state", "put", "s", "k", "--if"], ["--if-match", "--if-absent"]),
    (["init", "--store", ""], ["memory", "sqlite", "redis", "postgresql"]),
    (["init", "--store", "=", "s"], ["sqlite"]),
    (["init", "--store", "="], ["memory", "sqlite", "redis", "postgresql"]),
    (["help", "st"], ["state"]),
    (["completion", "z"], ["zsh"]),
    (["--app-id", "x", "--dapr-http-p"], ["--dapr-http-port"]),
    (["serve", "--app-id", ""], []),
    (["schema", "--type", "state.sq"], ["state.sqlite", "state.sqlserver"]),
])
def test_bash_completes(script, words, offered):
    got = complete_in_bash(script, *words)
    assert set(offered) <= set(got) if words == [""] else got == offered


def test_bash_completes_paths(script, tmp_path):
    place = tmp_path / "place"
    (place / "components").mkdir(parents=True)
    (place / "common.yaml").touch()
    assert sorted(complete_in_bash(script, "check", "com", cwd=place)) == ["common.yaml", "components"]
    assert complete_in_bash(script, "init", "com", cwd=place) == ["components"]
    assert complete_in_bash(script, "serve", "--resources-path", "com", cwd=place) == ["components"]


@needs("zsh")
def test_zsh_can_read_its_script(script):
    done = subprocess.run(["zsh", "-n", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@needs("fish")
@pytest.mark.parametrize("line, offered", [
    ("holdfast ch", ["check"]),
    ("holdfast state g", ["get"]),
    ("holdfast state get --rec", ["--record"]),
    ("holdfast init --store me", ["memory"]),
    ("holdfast help ve", ["version"]),
    ("holdfast serve --loo", ["--loops"]),
])
def test_fish_completes(script, line, offered):
    done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "PATH": os.path.dirname(BINARY) + ":" + os.environ["PATH"]})
    assert done.stderr == ""
    assert [row.split("\t")[0] for row in done.stdout.splitlines()] == offered
