"""Consistency levels: the SDK's two, and Holdfast's six.

Follows "Consistency Levels" of the course module and the table of the advanced state options. Changed:

- The names are `Consistency.strong` and `Consistency.eventual`. There is no CABOA in the SDK: it is Holdfast's `quorum`,
  and a level that the SDK has no name for goes into the item's metadata as `consistency`.
- Over plain HTTP any of the six names stands where Dapr has `consistency`.
- Which level a record was served at is told by /v2, in the header `Holdfast-Consistency`: the one asked for, or a
  stronger one where the store has nothing weaker. SQLite and memory are strong at every level.
"""

import os

import requests
from dapr.clients import DaprClient
from dapr.clients.grpc._state import Consistency, StateOptions

STORE = "statestore"
KEY = "critical:data"
LEVELS = ("strong", "quorum", "bounded-staleness", "session", "consistent-prefix", "eventual")


def with_the_sdk() -> None:
    with DaprClient() as dapr:
        for consistency in (Consistency.strong, Consistency.eventual):
            dapr.save_state(STORE, KEY, f"saved {consistency.name}", options=StateOptions(consistency=consistency))
            print("sdk:", dapr.get_state(STORE, KEY).text())
        # CABOA of the module, under the name Holdfast gives it as well.
        dapr.save_state(STORE, KEY, "saved caboa", state_metadata={"consistency": "caboa"})
        print("sdk:", dapr.get_state(STORE, KEY, state_metadata={"consistency": "quorum"}).text())


def over_http() -> None:
    http = requests.Session()
    if token := os.environ.get("DAPR_API_TOKEN"):
        http.headers["dapr-api-token"] = token
    base = f"http://localhost:{os.environ.get('DAPR_HTTP_PORT', '3500')}"
    for level in LEVELS:
        item = {"key": KEY, "value": f"saved {level}", "options": {"consistency": level}}
        http.post(f"{base}/v1.0/state/{STORE}", json=[item]).raise_for_status()
        value = http.get(f"{base}/v1.0/state/{STORE}/{KEY}", params={"consistency": level})
        value.raise_for_status()
        served = http.get(f"{base}/v2/state/{STORE}/{KEY}", params={"consistency": level})
        served.raise_for_status()
        print(f"http: {value.json()}, read at {level}, served at {served.headers['Holdfast-Consistency']}")


if __name__ == "__main__":
    with_the_sdk()
    over_http()
