"""Metadata that goes with a record, and where it can be seen.

Follows "State Metadata" of the course module. Changed:

- `StateOptions(metadata=...)` does not exist in dapr 1.19: metadata is `state_metadata` of `save_state`.
- The module saves "document content" as `application/json`, which it is not: the sidecar would refuse it. The document
  here is JSON, and one of another content type is saved beside it.
- `secondaryIndex` is sent as in the module. No call of Dapr's API looks records up by it, and a store without such an
  index ignores it.
- What became of the metadata is read from Holdfast's /v2, where a record tells it; Dapr's API has only the expiry.
"""

import json
import os

import requests
from dapr.clients import DaprClient

STORE = "statestore"


def record(key: str) -> dict:
    token = os.environ.get("DAPR_API_TOKEN")
    response = requests.get(
        f"http://localhost:{os.environ.get('DAPR_HTTP_PORT', '3500')}/v2/state/{STORE}/{key}",
        headers={"Accept": "application/vnd.holdfast.record+json"} | ({"dapr-api-token": token} if token else {}),
    )
    response.raise_for_status()
    return response.json()


def show(key: str) -> None:
    found = record(key)
    value = found["value"] if "value" in found else f"{found['valueBase64']} (base64)"
    print(f"{key}: createdBy {found['createdBy']}, contentType {found['contentType']}, ttl {found['ttl']} s, value {value}")


def main() -> None:
    with DaprClient() as dapr:
        dapr.save_state(
            STORE,
            "document:456",
            json.dumps({"title": "Minutes", "body": "document content"}),
            state_metadata={
                "ttlInSeconds": "3600",
                "secondaryIndex": "user_id:123",
                # Believed because the component does not ask who is calling; see trustCreatedBy in doc/dapr-api.md.
                "createdBy": "serviceA",
                "contentType": "application/json",
            },
        )
        dapr.save_state(STORE, "document:457", "document content", state_metadata={"contentType": "text/plain"})
    show("document:456")
    show("document:457")


if __name__ == "__main__":
    main()
