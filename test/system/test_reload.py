"""What changes while the sidecar runs: component files, policies, tokens, SIGHUP, stores that come later."""
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
import requests

from conftest import BINARY, wait_until

# How often the load test reloads; the soak asks for a thousand.
RELOADS = int(os.environ.get("HOLDFAST_RELOADS", "40"))


def component(name, kind="state.in-memory", *, metadata="", more="", spec=""):
    return (f"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
            f"spec:\n  type: {kind}\n  version: v1\n{spec}  metadata: [{metadata}]\n{more}")


def write(sidecar, name, text):
    """As a careful program does it: nobody sees half a file."""
    partial = sidecar.resources / (name + ".partial")
    partial.write_text(text)
    partial.rename(sidecar.resources / name)


def status(sidecar, store, key="k"):
    return requests.get(f"{sidecar.url}/v1.0/state/{store}/{key}").status_code


def names(sidecar):
    return [c["name"] for c in requests.get(sidecar.url + "/v1.0/metadata").json().get("components", [])]


def test_components_come_change_and_go_without_a_restart(own_sidecar):
    sidecar = own_sidecar()
    pid = sidecar.process.pid
    assert status(sidecar, "later") == 400
    write(sidecar, "later.yaml", component("later", "state.sqlite", metadata=f"{{name: connectionString, value: '{sidecar.directory}/a.db'}}"))
    wait_until(lambda: "later" in names(sidecar), "the new component to be listed")
    assert status(sidecar, "later") == 204  # what is listed is served
    assert requests.post(f"{sidecar.url}/v1.0/state/later", json=[{"key": "k", "value": "in a"}]).status_code == 204
    write(sidecar, "later.yaml", component("later", "state.sqlite", metadata=f"{{name: connectionString, value: '{sidecar.directory}/b.db'}}"))
    wait_until(lambda: status(sidecar, "later") == 204, "the changed component to read the other file")
    write(sidecar, "later.yaml", component("later"))
    wait_until(lambda: requests.get(sidecar.url + "/v2/stores").json()["stores"][-1]["type"] == "state.in-memory", "the type to change")
    (sidecar.resources / "later.yaml").unlink()
    wait_until(lambda: status(sidecar, "later") == 400, "the removed component to be gone")
    assert "later" not in names(sidecar)
    assert sidecar.process.pid == pid and sidecar.stop() == 0


def test_requests_go_on_through_reloads(own_sidecar):
    """One component changes again and again; not one request fails, of the others or of itself."""
    sidecar = own_sidecar()
    database = sidecar.directory / "flip.db"

    def flip(i):
        write(sidecar, "flip.yaml", component("flip", "state.sqlite", metadata=(
            f"{{name: connectionString, value: '{database}'}}, {{name: cleanupInterval, value: {1000 + i}s}}")))

    flip(0)
    wait_until(lambda: status(sidecar, "flip") == 204, "the component to be there")
    ended, failures, done = threading.Event(), [], [0, 0, 0, 0]

    def load(worker, store):
        session = requests.Session()
        while not ended.is_set():
            try:
                saved = session.post(f"{sidecar.url}/v1.0/state/{store}", json=[{"key": f"w{worker}", "value": done[worker]}], timeout=30)
                read = session.get(f"{sidecar.url}/v1.0/state/{store}/w{worker}", timeout=30)
                if saved.status_code != 204 or read.status_code != 200 or read.json() != done[worker]:
                    failures.append((store, saved.status_code, saved.text, read.status_code, read.text))
            except requests.RequestException as error:
                failures.append((store, repr(error)))
            done[worker] += 1

    threads = [threading.Thread(target=load, args=(i, store)) for i, store in enumerate(("mem", "lite", "flip", "flip"))]
    for thread in threads:
        thread.start()
    for i in range(1, RELOADS + 1):
        flip(i)
        wait_until(lambda: sidecar.log().count("Component changed: flip") >= i, f"reload {i}")
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == [], failures[:5]
    assert min(done) > RELOADS, done
    assert sidecar.stop() == 0


def test_a_file_that_cannot_be_read_changes_nothing(own_sidecar):
    sidecar = own_sidecar()
    for broken in ("apiVersion: [", component("mem") + "---\n" + component("mem")):
        seen = sidecar.log().count("is not taken over")
        write(sidecar, "broken.yaml", broken)
        wait_until(lambda: sidecar.log().count("is not taken over") > seen, "the error to be logged")
        assert status(sidecar, "mem") == 204 and status(sidecar, "lite") == 204
    (sidecar.resources / "broken.yaml").unlink()
    write(sidecar, "good.yaml", component("good"))
    wait_until(lambda: status(sidecar, "good") == 204, "a good file to be taken over afterwards")


BAD = component("bad", "state.sqlite", metadata="{name: timeout, value: nonsense}")


def test_a_broken_change_ends_the_process_as_with_daprd(own_sidecar):
    sidecar = own_sidecar()
    write(sidecar, "bad.yaml", BAD)
    assert sidecar.process.wait(20) == 1
    assert "INIT_COMPONENT_FAILURE" in sidecar.log()


def test_a_broken_change_is_left_out_when_asked(own_sidecar):
    sidecar = own_sidecar(args=["--keep-on-failed-reload"])
    write(sidecar, "ok.yaml", component("ok"))
    wait_until(lambda: status(sidecar, "ok") == 204, "the component")
    requests.post(f"{sidecar.url}/v1.0/state/ok", json=[{"key": "k", "value": 1}])
    write(sidecar, "ok.yaml", component("ok", "state.nope"))
    wait_until(lambda: "couldn't find state store state.nope" in sidecar.log(), "the error to be logged")
    assert requests.get(f"{sidecar.url}/v1.0/state/ok/k").text == "1", "it stays as it was"
    write(sidecar, "bad.yaml", BAD)
    wait_until(lambda: "bad (state.sqlite/v1)" in sidecar.log(), "the error to be logged")
    assert status(sidecar, "ok") == 200 and status(sidecar, "bad") == 400


def test_hot_reload_can_be_switched_off(own_sidecar, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec: {features: [{name: HotReload, enabled: false}]}\n")
    sidecar = own_sidecar(args=["--config", str(config)])
    write(sidecar, "later.yaml", component("later"))
    sidecar.process.send_signal(signal.SIGHUP)  # reads everything again
    wait_until(lambda: sidecar.log().count("dapr initialized") == 2 and status(sidecar, "later") == 204, "the restart")
    write(sidecar, "later2.yaml", component("later2"))
    assert "HotReload" not in requests.get(sidecar.url + "/v1.0/metadata").json().get("enabledFeatures", [])
    assert sidecar.stop() == 0
    assert "later2" not in sidecar.log()


def test_sighup_starts_over_in_the_same_process(own_sidecar):
    sidecar = own_sidecar()
    pid = sidecar.process.pid
    for store in ("mem", "lite"):
        assert requests.post(f"{sidecar.url}/v1.0/state/{store}", json=[{"key": "k", "value": 1}]).status_code == 204
    for round in (2, 3):
        sidecar.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sidecar.log().count("dapr initialized") == round, "the restart")
    wait_until(sidecar.is_ready, "the sidecar to be ready again")
    assert status(sidecar, "lite") == 200
    assert status(sidecar, "mem") == 204, "what was in memory was the first life's"
    assert sidecar.process.pid == pid and sidecar.stop() == 0


def test_a_store_that_is_not_there_yet_is_waited_for(own_sidecar):
    sidecar = own_sidecar(start=False)
    folder = sidecar.directory / "mounted-later"
    write(sidecar, "slow.yaml", component("slow", "state.sqlite", spec="  ignoreErrors: true\n",
                                          metadata=f"{{name: connectionString, value: '{folder}/s.db'}}"))
    sidecar.start()
    answer = requests.get(f"{sidecar.url}/v1.0/state/slow/k")
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "ERR_STATE_STORE_NOT_READY")
    assert str(folder) in answer.json()["message"]
    health = requests.get(sidecar.url + "/v2/health")
    assert health.status_code == 503 and health.json()["stores"]["slow"]["status"] == "down"
    assert str(folder) in health.json()["stores"]["slow"]["reason"]
    assert requests.get(f"{sidecar.url}/v2/state/slow/k").status_code == 503
    assert status(sidecar, "mem") == 204 and "slow" not in names(sidecar)
    folder.mkdir()
    wait_until(lambda: "slow" in names(sidecar), "the store to be connected")
    assert requests.get(sidecar.url + "/v2/health").status_code == 200 and status(sidecar, "slow") == 204
    assert sidecar.stop() == 0


RESILIENCY = """apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: guard}
spec:
  policies:
    circuitBreakers: {quick: {trip: consecutiveFailures > %d, timeout: 60s}}
  targets:
    components: {mem: {outbound: {circuitBreaker: quick}}}
"""


def save_with_stale_etag(sidecar):
    return requests.post(f"{sidecar.url}/v1.0/state/mem", json=[{"key": "k", "value": 1, "etag": "1"}])


def test_policies_change_while_the_store_keeps_what_it_holds(own_sidecar):
    sidecar = own_sidecar()
    assert requests.post(f"{sidecar.url}/v1.0/state/mem", json=[{"key": "k", "value": "kept"}]).status_code == 204
    write(sidecar, "resiliency.yaml", RESILIENCY % 1)
    wait_until(lambda: "resiliency policies have changed" in sidecar.log(), "the policy to be taken over")
    assert requests.get(sidecar.url + "/v1.0/metadata").json()["resiliencies"] == [{"name": "guard"}]
    assert [save_with_stale_etag(sidecar).status_code for _ in range(2)] == [409, 409]
    refused = requests.get(f"{sidecar.url}/v1.0/state/mem/k")
    assert refused.status_code == 500 and "circuit breaker is open" in refused.text
    metrics = requests.get(f"http://127.0.0.1:{sidecar.metrics_port}/").text
    assert 'dapr_resiliency_cb_state{app_id="test",namespace="",name="guard",policy="circuitbreaker",flow_direction="outbound",target="Statestore_mem",status="open"} 1' in metrics
    assert status(sidecar, "lite") == 204, "another store is not concerned"
    (sidecar.resources / "resiliency.yaml").unlink()
    wait_until(lambda: requests.get(f"{sidecar.url}/v1.0/state/mem/k").text == '"kept"', "the breaker to be gone")
    assert sidecar.stop() == 0


def test_an_etag_conflict_is_never_retried(own_sidecar):
    sidecar = own_sidecar(start=False)
    write(sidecar, "resiliency.yaml", "kind: Resiliency\nmetadata: {name: r}\nspec: {policies: {retries: {DefaultStatestoreComponentOutboundRetryPolicy: {policy: constant, duration: 30s, maxRetries: 3}}}}\n")
    sidecar.start()
    began = time.monotonic()
    assert requests.post(f"{sidecar.url}/v1.0/state/mem", json=[{"key": "k", "value": 1}]).status_code == 204
    assert save_with_stale_etag(sidecar).status_code == 409
    transaction = {"operations": [{"operation": "upsert", "request": {"key": "k", "value": 2, "etag": "1"}}]}
    assert requests.post(f"{sidecar.url}/v1.0/state/mem/transaction", json=transaction).status_code == 500
    assert time.monotonic() - began < 25, "a retry would have waited for thirty seconds"


def test_tokens_are_exchanged_without_a_failed_request(own_sidecar):
    """Old and new token stand in the file together for a while, as a rotation does it."""
    sidecar = own_sidecar(start=False)
    tokens = pathlib.Path(sidecar.directory) / "tokens"
    tokens.write_text("first\n")
    sidecar.args += ["--api-token-file", str(tokens)]
    sidecar.start()

    def ask(token):
        return requests.get(f"{sidecar.url}/v1.0/state/mem/k", headers={"dapr-api-token": token}).status_code

    assert (ask("first"), ask("second")) == (204, 401)
    tokens.write_text("first\n# printf %s second | sha256sum\nsha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4\n")
    wait_until(lambda: (ask("second"), ask("first")) == (204, 204), "both to be accepted")
    tokens.write_text("sha256:broken\n")
    wait_until(lambda: "the tokens stay as they were" in sidecar.log(), "the broken file to be refused")
    assert (ask("first"), ask("second")) == (204, 204)
    tokens.write_text("sha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4\n")
    wait_until(lambda: (ask("first"), ask("second")) == (401, 204), "the old one to be refused")
    assert "second" not in sidecar.log() and "sha256:1636" not in sidecar.log()
    assert sidecar.stop() == 0


def test_no_request_fails_while_tokens_are_exchanged(own_sidecar):
    """The file is written again and again under load; the tokens that stay in it, limited or not, are always accepted."""
    sidecar = own_sidecar(start=False)
    tokens = pathlib.Path(sidecar.directory) / "tokens"

    def make(*options):
        return subprocess.run([BINARY, "token", "create", "--file", str(tokens), *options], check=True, text=True,
                              capture_output=True, timeout=30).stdout.strip()

    kept = {"w0": make("--name", "all"), "w1": make("--prefix", "w1"), "w2": make("--allow", "get,write", "--stores", "mem")}
    sidecar.args += ["--api-token-file", str(tokens)]
    sidecar.start()
    ended, failures, done = threading.Event(), [], dict.fromkeys(kept, 0)

    def load(worker, token):
        session = requests.Session()
        session.headers["dapr-api-token"] = token
        while not ended.is_set():
            for url in (f"{sidecar.url}/v1.0/state/mem", f"{sidecar.url}/v2/state/mem/{worker}-2"):
                if "/v2/" in url:
                    answer = session.put(url, data="1", timeout=30)
                else:
                    answer = session.post(url, json=[{"key": worker, "value": done[worker]}], timeout=30)
                if answer.status_code >= 300:
                    failures.append((worker, answer.status_code, answer.text))
            done[worker] += 1

    threads = [threading.Thread(target=load, args=item) for item in kept.items()]
    for thread in threads:
        thread.start()
    for i in range(RELOADS):
        fresh = make("--name", f"passing-{i}")
        wait_until(lambda: status_with(sidecar, fresh) == 204, f"token {i} to be accepted")
        subprocess.run([BINARY, "token", "revoke", f"passing-{i}", "--file", str(tokens)], check=True, capture_output=True, timeout=30)
        wait_until(lambda: status_with(sidecar, fresh) == 401, f"token {i} to be refused")
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == [], failures[:5]
    assert min(done.values()) > RELOADS, done
    assert sidecar.log().count("the API tokens have been read again") >= RELOADS
    assert sidecar.stop() == 0


def status_with(sidecar, token):
    return requests.get(f"{sidecar.url}/v1.0/state/mem/nothing", headers={"dapr-api-token": token}).status_code
