"""A session that ends by itself.

Follows "TTL (Time to Live)" of the course module. Changed:

- `StateOptions` holds concurrency and consistency and nothing else. Metadata such as `ttlInSeconds` is the argument
  `state_metadata` of `save_state`.
- The module writes the lifetime into the value as well ("expires_at": "1h"), where it would be wrong a second later.
  The store knows it: over HTTP it is the header `Metadata.ttlexpiretime` of a get. The SDK does not show it.
- A second session lives for one second, to be seen going.
"""

import json
import os
import time

import requests
from dapr.clients import DaprClient

STORE = "statestore"


def expiry(key: str) -> str | None:
    """When the record expires, RFC 3339; None for a record that stays, or none."""
    token = os.environ.get("DAPR_API_TOKEN")
    response = requests.get(
        f"http://localhost:{os.environ.get('DAPR_HTTP_PORT', '3500')}/v1.0/state/{STORE}/{key}",
        headers={"dapr-api-token": token} if token else {},
    )
    response.raise_for_status()
    return response.headers.get("Metadata.ttlexpiretime")


def main() -> None:
    with DaprClient() as dapr:
        session = json.dumps({"user_id": "1"})
        dapr.save_state(STORE, "session:abc123", session, state_metadata={"ttlInSeconds": "3600"})
        print("session:abc123 expires at", expiry("session:abc123"))

        # A save without a TTL clears it: every save of a session says how long it is to live from now on.
        dapr.save_state(STORE, "session:kept", session, state_metadata={"ttlInSeconds": "3600"})
        dapr.save_state(STORE, "session:kept", session)
        print("session:kept expires at", expiry("session:kept"))

        dapr.save_state(STORE, "session:brief", session, state_metadata={"ttlInSeconds": "1"})
        began = time.monotonic()
        while dapr.get_state(STORE, "session:brief").data:
            time.sleep(0.05)  # between two looks
        print(f"session:brief was gone after {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
