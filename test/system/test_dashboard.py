"""The dashboard in a real browser: Debian's Chromium without a window.

HOLDFAST_DASHBOARD_SCREENSHOT=FILE.png makes the README's picture as well.
"""
import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import socket
import threading
import urllib.parse

import pytest
import requests
from conftest import COMPONENTS, REDIS, Sidecar, free_port, redis_or_none, wait_until
from playwright.sync_api import expect, sync_playwright

RECORD = "application/vnd.holdfast.record+json"
BIG = '{"n":12345678901234567890,"price":1.10,"text":"<b>&amp;","list":[]}'

# A store with isolation keys.
APART = """---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: apart}}
spec:
  type: state.in-memory
  version: v1
  metadata:
  - {{name: isolation, value: optional}}
"""

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    assert chromium, "Debian's package chromium is needed; tools/dev deps installs it"
    with sync_playwright() as playwright:
        # The sandbox of Chromium does not start for root, which containers of CI are; only our own pages are opened.
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def sidecar(request, tmp_path_factory):
    """As everywhere, with the dashboard."""
    server = redis_or_none(request)
    components = COMPONENTS + APART + (REDIS.replace("PORT", str(server.port)) if server else "")
    with Sidecar(tmp_path_factory.mktemp("dashboard"), components=components, args=["--enable-dashboard"]) as running:
        yield running
        assert running.stop() == 0, running.log()


@pytest.fixture
def open_page(browser):
    """open_page(sidecar, store=..., key=...): a page of its own, which has to stay without an error of its scripts and
    without a breach of its Content-Security-Policy. Chromium also logs each answer that is no success: those are meant."""
    with contextlib.ExitStack() as opened:
        wrong = []

        def heard(message):
            if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
                wrong.append(message.text)

        def make(sidecar, init=None, clock=False, **where):
            context = browser.new_context(viewport={"width": 1360, "height": 900})
            opened.callback(context.close)
            page = context.new_page()
            page.on("console", heard)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            if init:
                page.add_init_script(init)
            if clock:
                page.clock.install()
            page.goto(address(sidecar, **where))
            return page

        yield make
        assert wrong == []


def address(sidecar, **where):
    return f"http://localhost:{sidecar.http_port}/dashboard#" + urllib.parse.urlencode(where)


def at(sidecar, store, key, **parameters):
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    return f"{sidecar.url}/v2/state/{store}/{urllib.parse.quote(key, safe='')}{query}"


def put(sidecar, store, key, value, content_type="application/json", headers=None, **parameters):
    answer = requests.put(at(sidecar, store, key, **parameters), data=value, headers={"Content-Type": content_type, **(headers or {})})
    assert answer.status_code in (200, 201), answer.text
    return answer.headers["ETag"]


def keys_of(page):
    return page.get_by_role("list", name="Keys").get_by_role("link")


def record_pane(page):
    return page.get_by_role("region", name="Record")


def field(page, name):
    return record_pane(page).locator(f'[data-field="{name}"]')


# -- Serving ----------------------------------------------------------------------------------------------------------


def test_without_the_flag_there_is_none(own_sidecar):
    off = own_sidecar()
    for path in ("/dashboard", "/dashboard/main.js"):
        assert requests.get(off.url + path).status_code == 404


def test_the_page_is_served_with_what_keeps_it_to_itself(sidecar):
    page = requests.get(sidecar.url + "/dashboard")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["Referrer-Policy"] == "no-referrer"
    assert requests.get(sidecar.url + "/dashboard/").content == page.content
    files = re.findall(r'(?:href|src)="(/dashboard/[^"]+)"', page.text)
    assert len(files) >= 3
    for file in files:
        assert requests.get(sidecar.url + file).status_code == 200
    head = requests.head(sidecar.url + "/dashboard")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(page.content)))
    again = requests.get(sidecar.url + "/dashboard", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert requests.post(sidecar.url + "/dashboard").status_code == 405
    missing = requests.get(sidecar.url + "/dashboard/nope.js")
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return probe.getsockname()[0]
    return "127.0.0.1"


def test_other_machines_need_a_token(own_sidecar):
    address = own_address()
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    listening = ["--enable-dashboard", "--dapr-listen-addresses", address]
    sidecar = own_sidecar(args=listening)
    url = f"http://{address}:{sidecar.http_port}/dashboard"
    refused = requests.get(url)
    assert refused.status_code == 403 and "--api-token-file" in refused.json()["detail"]
    assert requests.get(sidecar.url + "/dashboard").status_code == 200
    sidecar.stop()
    guarded = own_sidecar(args=listening, env={"DAPR_API_TOKEN": "secret"}, start=False)
    guarded.start()
    assert requests.get(f"http://{address}:{guarded.http_port}/dashboard").status_code == 200
    assert requests.get(f"http://{address}:{guarded.http_port}/v2/stats").status_code == 401


def test_names_that_lead_here_and_other_sites_are_refused(sidecar):
    for path in ("/dashboard", "/v2/stores"):
        rebound = requests.get(sidecar.url + path, headers={"Host": f"rebound.example:{sidecar.http_port}"})
        assert rebound.status_code == 403 and "rebound.example" in rebound.json()["detail"], path
    cross = requests.put(at(sidecar, "mem", "cross"), data="1", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    assert cross.status_code == 403
    assert requests.get(at(sidecar, "mem", "cross")).status_code == 404


class Served(Sidecar):
    """As people start it."""

    def command(self):
        command = super().command()
        listen = command.index("--dapr-listen-addresses")
        return [command[0], "serve", *command[1:listen], *command[listen + 2:]]


def test_holdfast_serve_has_it_on_loopback(tmp_path):
    with Served(tmp_path / "on") as on:
        assert requests.get(on.url + "/dashboard").status_code == 200
        assert f"the dashboard is at http://localhost:{on.http_port}/dashboard" in on.log()
    for name, args in (("off", ["--enable-dashboard=false"]), ("open", ["--dapr-listen-addresses", "0.0.0.0"])):
        with Served(tmp_path / name, args=args) as off:
            assert requests.get(off.url + "/dashboard").status_code == 404


# -- Looking ----------------------------------------------------------------------------------------------------------


def test_stores_are_shown_with_what_they_can_do(sidecar, store, open_page):
    page = open_page(sidecar)
    card = page.locator(f'article[data-store="{store}"]')
    expect(card.get_by_text("up", exact=True)).to_be_visible()
    expect(card).to_contain_text("state.")
    expect(card.get_by_role("list", name=f"What {store} can do")).to_contain_text("etags")
    page.get_by_role("navigation", name="Stores").get_by_role("link", name=re.compile(f"^{store} ")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(store)


def test_a_store_that_is_not_there_yet_says_why(own_sidecar, open_page):
    port = free_port()
    waiting = COMPONENTS + REDIS.replace("PORT", str(port)).replace("spec:\n", "spec:\n  ignoreErrors: true\n")
    page = open_page(own_sidecar(components=waiting, args=["--enable-dashboard"]))
    card = page.locator('article[data-store="red"]')
    expect(card.get_by_text("down", exact=True)).to_be_visible()
    expect(card.locator(".reason")).to_contain_text(f"localhost:{port}")
    expect(card).to_contain_text("Not connected")


def test_keys_by_prefix_a_page_at_a_time(sidecar, store, key, open_page):
    items = [{"op": "put", "key": f"{key}/{i:03}", "value": i} for i in range(60)]
    answer = requests.post(f"{sidecar.url}/v2/state/{store}:batchWrite", json={"items": items})
    assert answer.status_code == 200
    page = open_page(sidecar, store=store, prefix=key + "/")
    expect(page.get_by_text("there are more")).to_be_visible()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_text("60 keys.")).to_be_visible()
    assert sorted(keys_of(page).all_text_contents()) == [item["key"] for item in items]
    page.get_by_label("Keys that begin with").fill(key + "/00")
    page.get_by_role("button", name="List keys").click()
    expect(keys_of(page)).to_have_count(10)
    keys_of(page).get_by_text(key + "/007").click()
    expect(record_pane(page).get_by_role("heading", name=key + "/007")).to_be_visible()
    expect(record_pane(page).get_by_label("Value", exact=True)).to_have_text("7")
    page.go_back()
    expect(record_pane(page)).to_contain_text("Choose a key")


def test_a_record_is_shown_with_its_fields(sidecar, store, key, open_page):
    etag = put(sidecar, store, key, '{"total":12.50}', ttl="2h", createdBy="anna", **{"tag.shop": "berlin"})
    page = open_page(sidecar, store=store, prefix=key, key=key)
    expect(field(page, "ETag")).to_have_text(etag)
    expect(field(page, "Partition key")).to_have_text(key)
    expect(field(page, "Created by")).to_have_text("anna")
    expect(field(page, "Content type")).to_have_text("application/json")
    expect(field(page, "Tags")).to_have_text("shop: berlin")
    expect(field(page, "Time to live")).to_contain_text("s left")
    expect(field(page, "Modified")).to_contain_text("UTC")
    expect(record_pane(page).get_by_label("Value", exact=True)).to_have_text('{\n  "total": 12.50\n}')
    expect(keys_of(page).get_by_text(key)).to_have_attribute("aria-current", "true")


def test_values_that_are_no_json_and_large_ones(sidecar, key, open_page):
    put(sidecar, "mem", key + "-text", "grüß\ngott", "text/plain")
    put(sidecar, "mem", key + "-bytes", b"\x00\x01\xfe\xff", "application/octet-stream")
    put(sidecar, "mem", key + "-lines", "one\r\ntwo\r\n", "text/plain")
    put(sidecar, "mem", key + "-mixed", "one\r\ntwo\n", "text/plain")
    put(sidecar, "mem", key + "-long", json.dumps(["y" * 200_000]))
    put(sidecar, "mem", key + "-large", b'["' + b"x" * 600_000 + b'"]')
    page = open_page(sidecar, store="mem", prefix=key, key=key + "-text")
    value = record_pane(page).get_by_label("Value", exact=True)
    edit = record_pane(page).get_by_role("button", name="Edit")
    expect(value).to_have_text("grüß\ngott")
    expect(edit).to_be_visible()
    keys_of(page).get_by_text(key + "-lines").click()
    expect(value).to_contain_text("two")
    edit.click()
    record_pane(page).get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"Saved {key}-lines.")).to_be_visible()
    assert requests.get(at(sidecar, "mem", key + "-lines")).content == b"one\r\ntwo\r\n"
    keys_of(page).get_by_text(key + "-mixed").click()
    expect(record_pane(page)).to_contain_text("end in different ways")
    expect(edit).to_have_count(0)
    keys_of(page).get_by_text(key + "-long").click()
    expect(value).to_contain_text("yyy")
    expect(edit).to_be_visible()
    keys_of(page).get_by_text(key + "-bytes").click()
    expect(value).to_contain_text("00 01 fe ff")
    expect(record_pane(page)).to_contain_text("cannot be edited here")
    expect(edit).to_have_count(0)
    keys_of(page).get_by_text(key + "-large").click()
    expect(record_pane(page)).to_contain_text("256 KiB of 586 KiB")
    expect(edit).to_have_count(0)
    assert len(value.text_content()) == 256 * 1024


def test_markup_of_strangers_is_text(sidecar, key, open_page):
    evil = f'{key}/<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
    put(sidecar, "mem", evil, json.dumps({"<b>": "<img src=x onerror=window.pwned=1>"}), **{"tag.<i>": "<svg onload=window.pwned=1>"})
    page = open_page(sidecar, init="window.pwned = 0", store="mem", prefix=key)
    keys_of(page).get_by_text(evil).click()
    expect(record_pane(page).get_by_role("heading", name=evil)).to_be_visible()
    expect(field(page, "Tags")).to_have_text("<i>: <svg onload=window.pwned=1>")
    record_pane(page).get_by_role("button", name="Edit").click()
    record_pane(page).get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"Saved {evil}")).to_be_visible()
    record_pane(page).get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text(f"Deleted {evil}")).to_be_visible()
    assert page.evaluate("window.pwned") == 0
    assert page.locator("main img, main script, main b, main i").count() == 0


def test_isolation_keys_keep_records_apart(sidecar, key, open_page):
    put(sidecar, "apart", key, '"of seven"', headers={"Holdfast-Isolation": "tenant-7"})
    page = open_page(sidecar, store="apart", prefix=key)
    expect(page.get_by_text("No keys.")).to_be_visible()
    page.get_by_label("Isolation key").fill("tenant-7")
    page.get_by_role("button", name="List keys").click()
    keys_of(page).get_by_text(key).click()
    expect(record_pane(page).get_by_label("Value", exact=True)).to_have_text('"of seven"')
    expect(field(page, "Isolation key")).to_have_text("tenant-7")
    page.reload()
    expect(record_pane(page).get_by_label("Value", exact=True)).to_have_text('"of seven"')


# -- Changing ---------------------------------------------------------------------------------------------------------


def test_an_edit_keeps_all_but_what_was_edited(sidecar, store, key, open_page):
    etag = put(sidecar, store, key, BIG, ttl="2h", createdBy="anna", **{"tag.shop": "berlin", "index.city": "b/1"})
    page = open_page(sidecar, store=store, prefix=key, key=key)
    record_pane(page).get_by_role("button", name="Edit").click()
    value = record_pane(page).get_by_label("Value", exact=True)
    shown = value.input_value()
    assert '"n": 12345678901234567890' in shown and '"price": 1.10' in shown
    value.fill(shown.replace('"list": []', '"list": [98765432109876543210.10]'))
    record_pane(page).get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"Saved {key}.")).to_be_visible()
    expect(field(page, "ETag")).not_to_have_text(etag)
    assert requests.get(at(sidecar, store, key)).text == BIG.replace("[]", "[98765432109876543210.10]")
    record = requests.get(at(sidecar, store, key), headers={"Accept": RECORD}).json()
    assert record["tags"] == {"shop": "berlin"} and record["indexes"] == {"city": "b/1"} and record["createdBy"] == "anna"
    assert 7000 < record["ttl"] <= 7200 and record["contentType"] == "application/json"


def test_content_type_ttl_and_tags_can_be_changed(sidecar, key, open_page):
    put(sidecar, "lite", key, "1", ttl="2h", **{"tag.old": "1"})
    page = open_page(sidecar, store="lite", prefix=key, key=key)
    pane = record_pane(page)
    pane.get_by_role("button", name="Edit").click()
    pane.get_by_label("Value", exact=True).fill("{")
    pane.get_by_role("button", name="Save").click()
    expect(pane.get_by_role("alert")).to_contain_text("not JSON")
    pane.get_by_label("Content type").fill("text/x-test")
    pane.get_by_label("Time to live").select_option("no end")
    pane.get_by_label("Name of the tag").fill("new")
    pane.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"Saved {key}.")).to_be_visible()
    record = requests.get(at(sidecar, "lite", key), headers={"Accept": RECORD}).json()
    assert (record["contentType"], record["ttl"], record["tags"]) == ("text/x-test", -1, {"new": "1"})
    assert requests.get(at(sidecar, "lite", key)).text == "{"


def test_a_record_that_changed_meanwhile_is_not_overwritten(sidecar, store, key, open_page):
    put(sidecar, store, key, '"first"')
    page = open_page(sidecar, store=store, prefix=key, key=key)
    pane = record_pane(page)
    pane.get_by_role("button", name="Edit").click()
    pane.get_by_label("Value", exact=True).fill('"mine"')
    theirs = put(sidecar, store, key, '"theirs"')
    pane.get_by_role("button", name="Save").click()
    expect(pane.get_by_role("alert")).to_contain_text("changed meanwhile")
    expect(pane.get_by_role("alert")).to_contain_text(theirs)
    assert requests.get(at(sidecar, store, key)).text == '"theirs"'
    expect(pane.get_by_label("Value", exact=True)).to_have_value('"mine"')
    pane.get_by_role("button", name="Reload the present record").click()
    expect(pane.locator("pre")).to_have_text('"theirs"')
    last = put(sidecar, store, key, '"last"')
    pane.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(pane.get_by_role("alert")).to_contain_text(last)
    assert requests.get(at(sidecar, store, key)).text == '"last"'


def test_making_and_deleting_a_record(sidecar, store, key, open_page):
    taken = put(sidecar, store, key + "-taken", "1")
    page = open_page(sidecar, store=store, prefix=key)
    pane = record_pane(page)
    page.get_by_role("button", name="New record").click()
    pane.get_by_label("Key").fill(key + "-taken")
    pane.get_by_label("Value", exact=True).fill('{"made": 12345678901234567890}')
    pane.get_by_label("Time to live").select_option("ends after…")
    pane.get_by_label("Ends after").fill("1h30m")
    pane.get_by_role("button", name="Create").click()
    expect(pane.get_by_role("alert")).to_contain_text("The key is taken")
    assert requests.head(at(sidecar, store, key + "-taken")).headers["ETag"] == taken
    pane.get_by_label("Key").fill(key + "/a b/ü")
    pane.get_by_role("button", name="Create").click()
    expect(pane.get_by_role("heading", name=key + "/a b/ü")).to_be_visible()
    expect(keys_of(page)).to_have_count(2)
    made = requests.get(at(sidecar, store, key + "/a b/ü"), headers={"Accept": RECORD})
    assert '"value":{"made":12345678901234567890}' in made.text and 5300 < made.json()["ttl"] <= 5400
    pane.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    assert requests.get(at(sidecar, store, key + "/a b/ü")).status_code == 200
    pane.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text(f"Deleted {key}/a b/ü.")).to_be_visible()
    expect(keys_of(page)).to_have_count(1)
    assert requests.get(at(sidecar, store, key + "/a b/ü")).status_code == 404


def test_a_record_that_is_not_there_can_be_made(sidecar, key, open_page):
    page = open_page(sidecar, store="mem")
    page.get_by_label("Keys that begin with").fill(key)
    page.get_by_role("button", name="Open key").click()
    pane = record_pane(page)
    for last in (False, True):
        pane.get_by_role("button", name="Create it").click()
        pane.get_by_role("button", name="Create" if last else "Cancel", exact=True).click()
    expect(pane.get_by_label("Value", exact=True)).to_have_text("{}")
    assert requests.get(at(sidecar, "mem", key)).text == "{}"


def test_changes_are_not_left_by_accident(sidecar, key, open_page):
    for name in ("-a", "-b"):
        put(sidecar, "mem", key + name, "1")
    page = open_page(sidecar, store="mem", prefix=key, key=key + "-a")
    record_pane(page).get_by_role("button", name="Edit").click()
    record_pane(page).get_by_label("Value", exact=True).fill("2")
    keys_of(page).get_by_text(key + "-b").click()
    dialog = page.get_by_role("dialog", name="Leave your changes?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(record_pane(page).get_by_label("Value", exact=True)).to_have_value("2")
    keys_of(page).get_by_text(key + "-b").click()
    dialog.get_by_role("button", name="Leave them").click()
    expect(record_pane(page).get_by_role("heading", name=key + "-b")).to_be_visible()


# -- Tokens -----------------------------------------------------------------------------------------------------------


def test_the_page_asks_for_the_token_and_shows_what_it_denies(own_sidecar, tmp_path, open_page):
    tokens = tmp_path / "tokens"
    limited = "limited"
    tokens.write_text(f"everything\nsha256:{hashlib.sha256(limited.encode()).hexdigest()};prefix=orders/;allow=get,list a reader\n")
    sidecar = own_sidecar(args=["--enable-dashboard", "--api-token-file", str(tokens)], start=False)
    sidecar.start()
    for name in ("orders/1", "users/1"):
        requests.put(at(sidecar, "mem", name), data="1", headers={"dapr-api-token": "everything", "Content-Type": "application/json"})
    page = open_page(sidecar, store="mem")
    dialog = page.get_by_role("dialog", name="API token")
    expect(dialog.get_by_role("alert")).to_be_hidden()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert").filter(has_text="missing or wrong")).to_be_visible()
    page.get_by_role("button", name="API token").click()
    dialog.get_by_label("Token").fill("wrong")
    dialog.get_by_role("button", name="Use this token").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not accept")
    dialog.get_by_label("Token").fill("everything")
    dialog.get_by_role("button", name="Use this token").click()
    expect(keys_of(page)).to_have_count(2)
    expect(dialog).to_be_hidden()
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    page.reload()
    expect(keys_of(page)).to_have_count(2)
    page.get_by_role("button", name="API token").click()
    dialog.get_by_label("Token").fill(limited)
    dialog.get_by_role("button", name="Use this token").click()
    expect(keys_of(page)).to_have_count(1)
    page.get_by_label("Keys that begin with").fill("users/")
    page.get_by_role("button", name="List keys").click()
    expect(page.get_by_role("alert").filter(has_text="Not allowed")).to_contain_text("orders/")
    page.goto(address(sidecar, store="mem", prefix="orders/", key="orders/1"))
    record_pane(page).get_by_role("button", name="Edit").click()
    record_pane(page).get_by_role("button", name="Save").click()
    expect(record_pane(page).get_by_role("alert")).to_contain_text("Not allowed")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="API token").click()
    dialog.get_by_role("button", name="Forget the token").click()
    expect(dialog.get_by_role("button", name="Use this token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


# -- Live -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def load(sidecar, store):
    """Reads and writes, some of them refused, until the block ends."""
    ended = threading.Event()

    def run():
        session = requests.Session()
        for i in itertools.count():
            if ended.is_set():
                return
            session.get(at(sidecar, store, "load"))
            refused = {"If-Match": '"none"'} if i % 25 == 0 else {}
            session.put(at(sidecar, store, "load"), data=str(i), headers=refused)

    worker = threading.Thread(target=run)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def test_rates_and_latencies_move_under_load(sidecar, open_page):
    store = "lite"
    with load(sidecar, store):
        page = open_page(sidecar)
        row = page.locator(f'tr[data-store="{store}"][data-operation="get"]')
        expect(row.locator('[data-what="rate"]')).to_have_text(re.compile(r"[1-9]"))
        expect(row.locator('[data-what="p50"]')).to_have_text(re.compile(r"ms$"))
        expect(row.locator('[data-what="mean"]')).to_have_text(re.compile(r"s$"))
        refused = page.locator(f'tr[data-store="{store}"][data-operation="set"] [data-what="errors"]')
        expect(refused).to_have_text(re.compile(r"[1-9]"))
        expect(row.locator(".line")).to_have_attribute("d", re.compile("^M.*L"))
    expect(row.locator('[data-what="rate"]')).to_have_text("0")


def test_a_hidden_page_asks_for_nothing(sidecar, open_page):
    page = open_page(sidecar, clock=True, init="""
        window.isHidden = false;
        Object.defineProperty(document, 'hidden', {get: () => window.isHidden});
        window.hide = (hidden) => { window.isHidden = hidden; document.dispatchEvent(new Event('visibilitychange')); };
    """)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator("#about")).to_contain_text("version")
    page.clock.run_for(4000)
    wait_until(lambda: page.evaluate("0") == 0 and any("/v2/stats" in url for url in asked), "a question while it is shown")
    page.evaluate("hide(true)")
    expect(page.locator("#connection")).to_have_text("paused")
    page.wait_for_load_state("networkidle")
    asked.clear()
    page.clock.run_for(120_000)
    assert page.evaluate("fetch('/dashboard/icon.svg').then((answer) => answer.status)") == 200
    assert [url for url in asked if "/v2/" in url] == []
    page.evaluate("hide(false)")
    page.clock.run_for(2000)
    wait_until(lambda: page.evaluate("0") == 0 and any("/v2/stats" in url for url in asked), "a question when it is shown again")


def test_it_says_when_the_sidecar_is_gone_and_goes_on_when_it_is_back(own_sidecar, open_page):
    sidecar = own_sidecar(args=["--enable-dashboard"])
    page = open_page(sidecar)
    expect(page.locator("#connection")).to_have_text("live")
    sidecar.kill()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    sidecar.start()
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator('article[data-store="mem"]').get_by_text("up", exact=True)).to_be_visible()


# -- For everybody ----------------------------------------------------------------------------------------------------


def test_every_control_has_a_name_and_the_page_fits_narrow_screens(sidecar, key, open_page):
    put(sidecar, "mem", key, json.dumps({"long": "x" * 500}), **{"tag.shop": "berlin"})
    page = open_page(sidecar, store="mem", prefix=key, key=key)
    page.set_viewport_size({"width": 360, "height": 740})
    for edits in (False, True):
        if edits:
            record_pane(page).get_by_role("button", name="Edit").click()
        expect(record_pane(page).get_by_role("heading", name=key)).to_be_visible()
        nameless = page.evaluate("""[...document.querySelectorAll('input, textarea, select, button')].filter((one) =>
            one.checkVisibility() && !one.labels?.length && !one.getAttribute('aria-label') && !one.textContent.trim()).length""")
        assert nameless == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    record_pane(page).get_by_role("button", name="Cancel").click()
    keys_of(page).get_by_text(key).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") != "BODY"


@pytest.mark.skipif("HOLDFAST_DASHBOARD_SCREENSHOT" not in os.environ, reason="HOLDFAST_DASHBOARD_SCREENSHOT names the picture to make")
def test_the_picture_of_the_readme(own_sidecar, redis, browser):
    components = COMPONENTS.replace("name: mem", "name: sessions").replace("name: lite", "name: orders") + REDIS.replace(
        "PORT", str(redis.port)).replace("name: red}", "name: carts}")
    sidecar = own_sidecar(components=components, args=["--enable-dashboard"], app_id="shop")
    for i in range(1000, 1080):
        value = {"order": i, "customer": f"customer-{i % 7}", "total": i * 1.25, "lines": [{"sku": "A-17", "count": 2}], "paid": i % 2 == 0}
        put(sidecar, "orders", f"orders/2026/{i}", json.dumps(value), **{"tag.shop": "berlin", "ttl": "2h"})
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    with load(sidecar, "orders"), load(sidecar, "carts"):
        page = context.new_page()
        page.goto(address(sidecar, store="orders", prefix="orders/2026/", key="orders/2026/1003"))
        expect(field(page, "Tags")).to_contain_text("berlin")
        page.get_by_text("Rates and latencies", exact=True).click()
        expect(page.locator(".pulse .line")).to_have_attribute("d", re.compile("(L[^L]+){20}"), timeout=60_000)
        expect(page.get_by_role("navigation", name="Stores").get_by_text("up", exact=True)).to_have_count(3)
        page.screenshot(path=os.environ["HOLDFAST_DASHBOARD_SCREENSHOT"])
    context.close()
