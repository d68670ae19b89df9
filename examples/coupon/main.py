"""A coupon that two processes change at once, over Holdfast's own HTTP API, with records shown whole.

Follows "Sample using FirstWrite mode and ETags" of the advanced state options (there in C#, for Taskurai). Changed:

- `stateClient.SaveState(store, new StateInput(key) { Value = ... })` is `PUT /v2/state/STORE/KEY` with the value as the
  body. `Prefer: return=representation` answers the record that was written, field for field the one the sample prints.
- `Etag = ..., ConcurrencyMode = FirstWrite` is the header `If-Match`. LastWrite is a PUT without it.
- `RequestFailedException` with the status PreconditionFailed is the status 412, whose body is a problem document.
- The value keeps its names: `Code` stays `Code`, where the sample's serializer wrote `code`.
- There is no isolation key in this request, so the id is the key alone and `isolationMode` is false.
- The second save keeps `created`: it overwrites a live record. The sample shows a new one there.
- The sample ends with the refusal and the advice to reload and try again; here the coupon is read and saved again.
"""

import json
import os

import requests

STORE = "statestore"
KEY = "webshop::coupons::blackfriday"
URL = f"http://localhost:{os.environ.get('DAPR_HTTP_PORT', '3500')}/v2/state/{STORE}/{KEY}"

http = requests.Session()
if token := os.environ.get("DAPR_API_TOKEN"):
    http.headers["dapr-api-token"] = token


class PreconditionFailed(Exception):
    """The coupon is no longer the one whose ETag was given."""


def save_state(value: dict, etag: str | None = None) -> dict:
    """Saves the coupon and returns its record. With an etag: FirstWrite, else LastWrite."""
    headers = {"Prefer": "return=representation"} | ({"If-Match": etag} if etag else {})
    response = http.put(URL, json=value, headers=headers)
    if response.status_code == 412:
        raise PreconditionFailed(response.json()["detail"])
    response.raise_for_status()
    return response.json()


def get_state() -> dict:
    response = http.get(URL, headers={"Accept": "application/vnd.holdfast.record+json"})
    response.raise_for_status()
    return response.json()


def show(what: str, record: dict) -> dict:
    print(f"{what}:\n{json.dumps(record, indent=2)}")
    return record


def main() -> None:
    original = show("created", save_state({"Code": "BLACKFRIDAY", "Value": 10.0}))
    # A concurrent process changes the same coupon, in the default mode, LastWrite.
    show("changed by another process", save_state({"Code": "BLACKFRIDAY", "Value": 20.0}))
    # Now the first process updates the coupon it read, in the mode FirstWrite.
    etag = original["etag"]
    while True:
        try:
            record = save_state({"Code": "BLACKFRIDAY", "Value": 15.0}, etag)
            break
        except PreconditionFailed as refusal:
            print("Precondition ETag failed:", refusal)
            etag = show("read again", get_state())["etag"]
    show("saved with the new ETag", record)


if __name__ == "__main__":
    main()
