"""The programs of Dapr's how-to "Build a stateful service", which speak plain HTTP.

They keep their form: the body of a save is a JSON *string* that holds the array (`json=` of a text), and the options
`consistency` and `concurrency` of a get or delete are headers. Holdfast takes both. Changed, because it could not run:

- `'[{ ... "etag": {} ... }]'.format(etag)` takes every brace for a field. The braces of JSON are doubled.
- The how-to puts the etag into the JSON without quotes, which is right for a number (Redis counts its etags) and no JSON
  for anything else. `etag_literal` writes a number where the etag is one, and a JSON text otherwise.
- The how-to saves `k1` and reads `key1`; here a program uses one key.
- A save answers 204, never 200, so `if response.status_code == 200` would retry for ever. The loop ends on 204, repeats
  on 409, the conflict, and raises on anything else.
- After the etag was used for a save it is the old one, so the how-to's delete with it is refused. That is shown, then
  the delete is made with the etag that is there.
- The port comes from the environment, the store is called statestore, and the API token is sent where there is one.
"""

import json
import os

import requests

STORE_NAME = "statestore"  # name of the state store as specified in state store component yaml file
DAPR_STATE_URL = f"http://localhost:{os.environ.get('DAPR_HTTP_PORT', '3500')}/v1.0/state/{STORE_NAME}"

http = requests.Session()
if token := os.environ.get("DAPR_API_TOKEN"):
    http.headers["dapr-api-token"] = token


def etag_literal(etag: str) -> str:
    return etag if etag.isdecimal() else json.dumps(etag)


def strong_consistency() -> None:
    state_req = '[{ "key": "k1", "value": "Some Data", "options": { "consistency": "strong" }}]'
    response = http.post(DAPR_STATE_URL, json=state_req)
    print("save k1, strong:", response.status_code)

    response = http.get(DAPR_STATE_URL + "/k1", headers={"consistency": "strong"})
    print("get k1, strong:", response.status_code, response.text, "etag", response.headers["ETag"])

    response = http.delete(DAPR_STATE_URL + "/k1", headers={"consistency": "strong"})
    print("delete k1, strong:", response.status_code)


def use_an_etag() -> None:
    http.post(DAPR_STATE_URL, json='[{ "key": "key1", "value": "Old Data" }]')
    response = http.get(DAPR_STATE_URL + "/key1", headers={"concurrency": "first-write"})
    etag = response.headers["ETag"]

    new_state = '[{{ "key": "key1", "value": "New Data", "etag": {}, "options": {{ "concurrency": "first-write" }}}}]'
    response = http.post(DAPR_STATE_URL, json=new_state.format(etag_literal(etag)))
    print("save key1 with its etag:", response.status_code)

    response = http.delete(DAPR_STATE_URL + "/key1", headers={"If-Match": etag})
    print("delete key1 with the etag from before the save:", response.status_code, response.json()["message"])

    etag = http.get(DAPR_STATE_URL + "/key1").headers["ETag"]
    response = http.delete(DAPR_STATE_URL + "/key1", headers={"If-Match": etag})
    print("delete key1 with the etag that is there:", response.status_code)


def save_state(data: str) -> bool:
    """Saves the state and returns False if somebody else changed it in between."""
    response = http.post(DAPR_STATE_URL, json=data)
    if response.status_code == 409:
        return False
    response.raise_for_status()
    return True


def get_state(key: str) -> requests.Response:
    """Gets the state and returns the response, with the ETag in the header."""
    return http.get(f"{DAPR_STATE_URL}/{key}", headers={"concurrency": "first-write"})


def handle_version_mismatch() -> None:
    http.post(DAPR_STATE_URL, json='[{ "key": "key1", "value": "Old Data" }]')
    success, attempt = False, 0
    # Exit when save state is successful. success is False if there is an ETag mismatch.
    while not success:
        attempt += 1
        etag = get_state("key1").headers["ETag"]
        if attempt == 1:  # somebody else writes between our get and our save
            http.post(DAPR_STATE_URL, json='[{ "key": "key1", "value": "Data of somebody else" }]')
        new_state = '[{{ "key": "key1", "value": "New Data", "etag": {}, "options": {{ "concurrency": "first-write" }}}}]'
        success = save_state(new_state.format(etag_literal(etag)))
        print(f"attempt {attempt}:", "saved" if success else "the version has changed; reading it again")


if __name__ == "__main__":
    strong_consistency()
    use_an_etag()
    handle_version_mismatch()
