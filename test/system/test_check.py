"""holdfast check, init and schema over real files: what a person, a pipeline and an editor see."""
import json
import os
import pathlib
import sqlite3
import subprocess
import textwrap

import jsonschema
import pytest
import yaml

from conftest import BINARY

COURSE = sorted((pathlib.Path(__file__).parent / "components").glob("course-*.yaml"))


def holdfast(*args, cwd=None, env=None):
    done = subprocess.run([BINARY, *map(str, args)], capture_output=True, text=True, timeout=60, cwd=cwd,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def component(settings="", kind="state.sqlite", name="orders", more=""):
    """A document whose spec.metadata begins on line 9; `more` follows it."""
    return (f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {kind}\n"
            f"  version: v1\n  metadata:\n{settings}{more}")


def setting(name, value):
    return f"  - name: {name}\n    value: \"{value}\"\n"


# ---- files ----

def test_three_mistakes_in_one_file(tmp_path):
    file = write(tmp_path / "orders.yaml", """\
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata:
          name: orders
        spec:
          type: state.sqlite
          version: v1
          metadata:
          - name: conectionString
            value: orders.db
          - name: timeout
            value: soon
        scope:
        - shop
        """)
    code, out, err = holdfast("check", file)
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        f'{file}:8: error: component "orders": field "connectionString" is required and missing',
        f'{file}:9: error: component "orders": field "conectionString" is not known to state.sqlite; '
        'did you mean "connectionString"?',
        f'{file}:12: error: component "orders": field "timeout" must be a duration such as 500ms or 1m30s, '
        'or a number of seconds',
        f'{file}:13: error: component "orders": the document has no field "scope"; did you mean "scopes"?',
        "1 file: 4 errors",
    ]


@pytest.mark.parametrize("file", COURSE, ids=lambda file: file.stem)
def test_files_of_a_dapr_course_have_no_errors(file):
    code, out, _ = holdfast("check", "--json", file)
    findings = json.loads(out)
    assert code == 0
    for finding in findings:
        # Either the store is not built yet, or the file counts on Kubernetes for its secrets.
        assert finding["severity"] == "warning", finding
        assert "not supported yet" in finding["message"] or "no auth.secretStore" in finding["message"], finding


def test_strict_makes_errors_of_warnings(tmp_path):
    file = write(tmp_path / "a.yaml", component(setting("connectionString", "a.db") + setting("url", "b.db")))
    assert holdfast("check", file)[0] == 0
    code, out, _ = holdfast("check", "--strict", file)
    assert code == 1 and ": error: " in out


def test_json_is_for_programs(tmp_path):
    file = write(tmp_path / "a.yaml", component(setting("connectionString", "a.db") + setting("timeot", "1s")))
    code, out, _ = holdfast("check", "--json", file)
    assert code == 1
    assert json.loads(out) == [{
        "file": str(file), "line": 11, "severity": "error", "subject": 'component "orders"', "field": "timeot",
        "message": 'field "timeot" is not known to state.sqlite', "suggestion": "timeout"}]


def test_a_directory_is_checked_as_a_whole(tmp_path):
    write(tmp_path / "a.yaml", component(setting("connectionString", "a.db")))
    write(tmp_path / "b.yml", component(setting("connectionString", "b.db")))
    write(tmp_path / "notes.txt", "not YAML: [")
    write(tmp_path / "below" / "c.yaml", "not YAML: [")
    code, out, _ = holdfast("check", tmp_path)
    assert code == 1
    assert out.splitlines() == [
        f'{tmp_path}/b.yml:4: error: component "orders": the name is taken by {tmp_path}/a.yaml:4',
        "2 files: 1 error"]


def test_without_a_path_it_looks_where_serve_does(tmp_path):
    home = {"HOME": str(tmp_path / "home")}
    code, out, _ = holdfast("check", cwd=tmp_path, env=home)
    assert code == 0 and "there are no component files" in out
    assert json.loads(holdfast("check", "--json", cwd=tmp_path, env=home)[1]) == []
    write(tmp_path / "components" / "a.yaml", component(setting("connectionString", "a.db")))
    assert holdfast("check", cwd=tmp_path, env=home)[1] == "1 file: nothing wrong\n"
    write(tmp_path / ".dapr" / "components" / "b.yaml", component())
    assert "./.dapr/components/b.yaml" in holdfast("check", cwd=tmp_path, env=home)[1]


@pytest.mark.parametrize("args", [["nosuch.yaml"], ["--nosuch"], ["--app-id"]])
def test_misuse_is_told_from_mistakes(tmp_path, args):
    code, out, err = holdfast("check", *args, cwd=tmp_path)
    assert (code, out) == (2, "") and err.startswith("holdfast: ")


def test_what_a_file_holds_does_not_steer_the_terminal(tmp_path):
    file = write(tmp_path / "a.yaml", component('  - name: "\\e[31mred"\n    value: x\n'))
    assert "\x1b" not in holdfast("check", file)[1]


# ---- --deep ----

def deep(directory, *args, **kwargs):
    code, out, _ = holdfast("check", "--deep", "--json", *args, directory, **kwargs)
    return code, [f for f in json.loads(out)]


def the_one(findings):
    assert len(findings) == 1, findings
    return findings[0]


def test_deep_says_that_a_store_in_memory_works(tmp_path):
    write(tmp_path / "mem.yaml", component(kind="state.in-memory", name="mem"))
    code, findings = deep(tmp_path)
    assert code == 0
    assert (the_one(findings)["severity"], the_one(findings)["message"]) == ("note", "works (state.in-memory)")


def sqlite_component(directory, database):
    write(directory / "a.yaml", component(setting("connectionString", database)))
    return directory / "a.yaml"


def database_of_a_sidecar(own_sidecar):
    import requests
    sidecar = own_sidecar()
    many = [{"key": f"k{i}", "value": "v" * 100} for i in range(500)]
    assert requests.post(f"{sidecar.url}/v1.0/state/lite", json=many).status_code == 204
    assert sidecar.stop() == 0
    return sidecar.database


def test_deep_finds_an_sqlite_file_sound(own_sidecar, tmp_path):
    database = database_of_a_sidecar(own_sidecar)
    before = {path.name: path.read_bytes() for path in database.parent.glob("state.db*")}
    code, findings = deep(sqlite_component(tmp_path / "c", database))
    assert code == 0 and the_one(findings)["message"] == "works (state.sqlite)"
    assert {path.name: path.read_bytes() for path in database.parent.glob("state.db*")} == before


def test_deep_finds_an_sqlite_file_damaged(own_sidecar, tmp_path):
    database = database_of_a_sidecar(own_sidecar)
    data = bytearray(database.read_bytes())
    page = len(data) // 2 // 4096 * 4096
    data[page:page + 4096] = b"\x5a" * 4096
    database.write_bytes(data)
    code, findings = deep(sqlite_component(tmp_path / "c", database))
    assert code == 1
    assert the_one(findings)["severity"] == "error" and "damaged" in the_one(findings)["message"]


def test_deep_reports_a_missing_database_and_makes_none(tmp_path):
    file = sqlite_component(tmp_path / "c", tmp_path / "none.db")
    code, findings = deep(file)
    assert code == 0
    assert the_one(findings)["severity"] == "warning" and "none.db yet" in the_one(findings)["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]
    file = sqlite_component(tmp_path / "c", tmp_path / "no" / "folder" / "none.db")
    code, findings = deep(file)
    assert code == 1 and "there is no folder" in the_one(findings)["message"]


def test_deep_refuses_somebody_elses_tables(tmp_path):
    database = tmp_path / "other.db"
    with sqlite3.connect(database) as other:
        other.execute("create table state (id integer primary key)")
    code, findings = deep(sqlite_component(tmp_path / "c", database))
    assert code == 1 and "belongs to something else" in the_one(findings)["message"]


def test_deep_opens_what_the_app_would_get_and_nothing_with_errors(tmp_path):
    write(tmp_path / "a.yaml", component(kind="state.in-memory", name="mine", more="scopes: [shop]\n"))
    write(tmp_path / "b.yaml", component(setting("maxBytes", "x"), kind="state.in-memory", name="wrong"))
    code, findings = deep(tmp_path)
    assert code == 1 and [f["message"] for f in findings if "wrong" in f["subject"]][-1].startswith("not opened")
    assert not [f for f in findings if "mine" in f["subject"]]
    findings = deep(tmp_path, "--app-id", "shop")[1]
    assert [f["message"] for f in findings if "mine" in f["subject"]] == ["works (state.in-memory)"]


# ---- init ----

def test_init_writes_a_file_that_a_sidecar_starts_with(tmp_path, own_sidecar):
    code, out, _ = holdfast("init", cwd=tmp_path)
    file = tmp_path / ".dapr" / "components" / "statestore.yaml"
    assert code == 0 and "wrote .dapr/components/statestore.yaml" in out and "holdfast serve" in out
    assert holdfast("check", cwd=tmp_path)[1] == "1 file: nothing wrong\n"
    sidecar = own_sidecar(components=None, start=False)
    text = file.read_text().replace("state.db", str(tmp_path / "state.db"))
    (sidecar.resources / "statestore.yaml").write_text(text)
    sidecar.start()
    import requests
    assert requests.post(f"{sidecar.url}/v1.0/state/statestore", json=[{"key": "k", "value": 1}]).status_code == 204


def test_init_overwrites_nothing(tmp_path):
    file = write(tmp_path / "statestore.yaml", "precious")
    code, _, err = holdfast("init", tmp_path)
    assert code == 1 and "already there" in err and file.read_text() == "precious"
    file.rename(tmp_path / "other.yaml").write_text(component(name="statestore", kind="state.in-memory"))
    code, _, err = holdfast("init", tmp_path)
    assert code == 1 and "the name is taken by" in err and not file.exists()


@pytest.mark.parametrize("store", ["memory", "sqlite", "redis", "postgresql"])
def test_init_of_every_store_is_a_valid_file(tmp_path, store, validator):
    assert holdfast("init", "--store", store, tmp_path)[0] == 0
    file = tmp_path / "statestore.yaml"
    assert holdfast("check", tmp_path)[0] == 0
    assert not complaints(validator, file.read_text())


def test_init_of_another_store_is_misuse(tmp_path):
    code, _, err = holdfast("init", "--store", "oracle", tmp_path)
    assert code == 2 and "postgresql" in err and not list(tmp_path.iterdir())


# ---- schema ----

@pytest.fixture(scope="module")
def validator():
    code, out, _ = holdfast("schema")
    assert code == 0
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def complaints(validator, text):
    return [error.message for document in yaml.safe_load_all(text) for error in validator.iter_errors(document)]


@pytest.mark.parametrize("file", COURSE, ids=lambda file: file.stem)
def test_the_schema_takes_files_of_a_dapr_course(validator, file):
    assert not complaints(validator, file.read_text())


CONNECTED = setting("connectionString", "a.db")
CONFIGURATION = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\n"
RESILIENCY = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\n"
GOOD = {
    "plain": component(CONNECTED),
    "alias": component(setting("url", "a.db"), kind="state.sqlite3"),
    "reference": component("  - name: url\n    envRef: DATABASE\n"),
    "unquoted": component(CONNECTED + "  - {name: timeout, value: 5}\n  - {name: disableWAL, value: true}\n"),
    "any case of values": component(CONNECTED + setting("synchronous", "full") + setting("disableWAL", "YES")
                                    + setting("consistency", "BoundedStaleness")),
    "template": component(CONNECTED + setting("timeout", "{appID}")),
    "without settings": component(kind="state.in-memory"),
    "whole": component(CONNECTED, more="  initTimeout: 1m\n  ignoreErrors: true\nauth: {secretStore: v}\nscopes: [a]\n"),
    "versioned": component(setting("tableName", "t") + setting("host", "h"), kind="state.postgresql"),
    "other building block": component(setting("anything", "x"), kind="pubsub.redis"),
    "configuration": CONFIGURATION + "spec: {tracing: {samplingRate: '1', zipkin: {endpointAddress: x}}, mtls: {a: 1}}\n",
    "resiliency": RESILIENCY + "spec: {policies: {timeouts: {short: 5s}, retries: {r: {policy: constant, duration: 500}}},"
                               " targets: {components: {orders: {outbound: {timeout: short}}}}}\n",
    "several": component(CONNECTED) + "---\n" + component(kind="state.in-memory", name="b"),
}
BAD = {
    "setting misspelt": component(CONNECTED + setting("timeot", "1s")),
    "setting missing": component(setting("timeout", "1s")),
    "no settings": "apiVersion: dapr.io/v1\nkind: Component\nmetadata: {name: a}\nspec: {type: state.sqlite}\n",
    "duration": component(CONNECTED + setting("timeout", "soon")),
    "boolean": component(CONNECTED + setting("disableWAL", "ture")),
    "integer": component(CONNECTED + setting("writeQueueMax", "many")),
    "bytes": component(setting("maxBytes", "64MB"), kind="state.in-memory"),
    "identifier": component(CONNECTED + setting("tableName", "a b")),
    "choice": component(CONNECTED + setting("synchronous", "sometimes")),
    "type": component(CONNECTED, kind="state.sqlit"),
    "no type of a component": component(CONNECTED, kind="sqlite"),
    "setting of another version": component(setting("tableName", "t"), kind="state.postgresql").replace("v1\n", "v2\n"),
    "version": component(CONNECTED).replace("version: v1", "version: v7"),
    "kind": component(CONNECTED).replace("Component", "component"),
    "apiVersion": component(CONNECTED).replace("v1alpha1", "v2"),
    "member": component(CONNECTED, more="scope: [a]\n"),
    "member in spec": component(CONNECTED, more="  secretStore: v\n"),
    "scopes": component(CONNECTED, more="scopes: a\n"),
    "initTimeout": component(CONNECTED, more="  initTimeout: 5\n"),
    "no name": component(CONNECTED).replace("  name: orders\n", "  namespace: x\n"),
    "configuration": CONFIGURATION + "spec: {tracing: {samplingrate: '1'}}\n",
    "resiliency": RESILIENCY + "spec: {policies: {retries: {r: {policy: linear}}}}\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_is_right_to_the_schema_and_to_check(tmp_path, validator, name):
    assert not complaints(validator, GOOD[name])
    code, out, _ = holdfast("check", write(tmp_path / "a.yaml", GOOD[name]))
    assert code == 0, out


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_wrong_to_the_schema_and_to_check(tmp_path, validator, name):
    assert complaints(validator, BAD[name])
    assert holdfast("check", write(tmp_path / "a.yaml", BAD[name]))[0] == 1


def test_a_schema_of_one_type():
    code, out, _ = holdfast("schema", "--type", "state.in-memory")
    assert code == 0
    validator = jsonschema.Draft202012Validator(json.loads(out))
    assert not complaints(validator, GOOD["without settings"])
    assert complaints(validator, GOOD["plain"])
    assert holdfast("schema", "--type", "state.nosuch")[0] == 2
