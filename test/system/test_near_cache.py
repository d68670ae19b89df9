"""The near cache: readings at eventual from memory, kept right by a watch."""
import re

import pytest
import requests

from conftest import COMPONENTS, REDIS, Sidecar, wait_until
from test_watch import LOGGED, PLACE
from test_v2_http import at

NEAR = LOGGED.replace("{{name: watch, value: log}}", "{{name: watch, value: log}}\n  - {{name: nearCache, value: true}}")


NEAR_REDIS = REDIS.replace("{{name: failover,", "{{name: nearCache, value: true}}\n  - {{name: failover,")


def near_counts(sidecar, store="lite"):
    """What the near cache did, by event, and how many records it has."""
    page = requests.get(f"http://127.0.0.1:{sidecar.metrics_port}/metrics").text
    counts = {event: int(value) for event, value in re.findall(
        rf'^dapr_component_state_near_cache_count{{.*component="{store}",event="(\w+)"}} (\d+)$', page, re.M)}
    items = re.search(rf'^dapr_component_state_near_cache_items{{.*component="{store}"}} (\d+)$', page, re.M)
    return {**counts, "items": int(items.group(1)) if items else None}


def read(sidecar, key, level="eventual", store="lite"):
    answer = requests.get(at(sidecar, store, key), params={"consistency": level})
    assert answer.status_code in (200, 404), answer.text
    return answer.text if answer.status_code == 200 else None, answer.headers.get("Holdfast-Consistency")


def warm(sidecar, key, store="lite"):
    """Reads until a reading is served from memory."""
    def hits():
        before = near_counts(sidecar, store).get("hit", 0)
        read(sidecar, key, store=store)
        return near_counts(sidecar, store)["hit"] > before
    wait_until(hits, "a reading from the near cache")


@pytest.fixture
def pair(own_sidecar):
    """Two sidecars on one file, each with a near cache on one loop."""
    one = own_sidecar(components=NEAR, args=["--loops", "1"])
    two = own_sidecar(components=NEAR.replace("{database}", str(one.database)), args=["--loops", "1"])
    yield one, two
    for sidecar in (one, two):
        assert sidecar.stop() == 0, sidecar.log()


def test_what_another_sidecar_changes_is_dropped_and_read_anew(pair, key):
    one, two = pair
    assert requests.put(at(one, "lite", key), data="first").ok
    warm(two, key)
    assert read(two, key) == ("first", "eventual")
    assert requests.put(at(one, "lite", key), data="second").ok
    wait_until(lambda: read(two, key)[0] == "second", "the second value")
    warm(two, key)
    assert requests.delete(at(one, "lite", key)).ok
    wait_until(lambda: read(two, key)[0] is None, "the deletion")
    counts = near_counts(two)
    assert counts["invalidation"] >= 2 and counts["resync"] == 0


def test_own_writes_are_seen_at_once_and_stronger_readings_go_past_it(pair, key):
    one, two = pair
    assert requests.put(at(one, "lite", key), data="0").ok
    warm(one, key)
    for i in range(1, 50):
        assert requests.put(at(one, "lite", key), data=str(i)).ok
        assert read(one, key)[0] == str(i)
    warm(two, key)
    for i in range(50, 100):
        assert requests.put(at(one, "lite", key), data=str(i)).ok
        for level in ("strong", "session"):
            assert read(two, key, level) == (str(i), "strong")
    wait_until(lambda: read(two, key)[0] == "99", "the last value")


def test_a_record_that_expired_is_not_served(pair, key):
    one, _ = pair
    assert requests.put(at(one, "lite", key), params={"ttl": "1s"}, data="short").ok
    read(one, key)
    wait_until(lambda: read(one, key)[0] is None, "the expiry")
    assert requests.get(at(one, "lite", key), params={"consistency": "strong"}).status_code == 404


def test_the_level_is_declared(pair):
    one, _ = pair
    stores = {store["name"]: store["capabilities"] for store in requests.get(f"{one.url}/v2/stores").json()["stores"]}
    assert stores["lite"]["reads"]["eventual"] == "eventual"
    assert stores["lite"]["reads"]["session"] == "strong"
    assert stores["mem"]["reads"]["eventual"] == "strong"


def test_redis_keeps_it_right_too(own_sidecar, redis, key):
    components = NEAR_REDIS.replace("PORT", str(redis.port))
    one, two = (own_sidecar(components=components, args=["--loops", "1"]) for _ in range(2))
    assert requests.put(at(one, "red", key), data="0").ok
    for i in range(1, 6):
        warm(two, key, "red")
        assert requests.put(at(one, "red", key), data=str(i)).ok
        assert read(one, key, store="red")[0] == str(i), "its own write"
        wait_until(lambda: read(two, key, store="red")[0] == str(i), "the value of another")
    warm(two, key, "red")
    drops = near_counts(two, "red")["invalidation"]
    redis.command("PEXPIRE", f"test||{key}", "600000")  # and nothing else, by another program
    wait_until(lambda: near_counts(two, "red")["invalidation"] > drops, "the record with the old time to live to be dropped")
    warm(two, key, "red")
    redis.command("DEL", f"test||{key}")
    wait_until(lambda: read(two, key, store="red")[0] is None, "the deletion")


@pytest.mark.parametrize("components, what", [
    (COMPONENTS.replace(PLACE, PLACE + "\n  - {{name: nearCache, value: true}}"), "watch: log"),
    (NEAR.replace("nearCache, value: true}}", "nearCache, value: true}}\n  - {{name: nearCacheMaxItems, value: 0}}"),
     "nearCacheMaxItems"),
], ids=["a store that cannot watch", "no room"])
def test_what_cannot_be_is_refused_at_the_start(tmp_path, components, what):
    sidecar = Sidecar(tmp_path, components=components, start=False)
    sidecar.start(wait=False)
    assert sidecar.process.wait(20) == 1
    assert "near" in sidecar.log() and what in sidecar.log()


def test_the_level_of_the_component_is_enough(own_sidecar, key):
    """For v1, which then reads from memory without a word in the request."""
    at_eventual = NEAR.replace("nearCache, value: true}}", "nearCache, value: true}}\n  - {{name: consistency, value: eventual}}")
    sidecar = own_sidecar(components=at_eventual, args=["--loops", "1"])
    assert requests.post(f"{sidecar.url}/v1.0/state/lite", json=[{"key": key, "value": 1}]).ok

    def hits():
        before = near_counts(sidecar).get("hit", 0)
        assert requests.get(f"{sidecar.url}/v1.0/state/lite/{key}").json() == 1
        return near_counts(sidecar)["hit"] > before
    wait_until(hits, "a reading from the near cache")
    assert requests.post(f"{sidecar.url}/v1.0/state/lite", json=[{"key": key, "value": 2}]).ok
    assert requests.get(f"{sidecar.url}/v1.0/state/lite/{key}").json() == 2
