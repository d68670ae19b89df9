"""User records: save, get, delete, and several at once.

Follows "Basic State Operations" of the course module. Changed, to the names of dapr 1.19 and to what runs:

- `state.json()` parses the value as JSON, and "Alice" saved as plain text is none: a text is read with `.text()`.
- `get_bulk_state` answers a response whose `.items` are the records; the response itself is no sequence.
- The users are saved with one `save_bulk_state` instead of a call for each. The SDK has no bulk delete, so deletion
  stays a loop.
"""

import json

from dapr.clients import DaprClient
from dapr.clients.grpc._state import StateItem

STORE = "statestore"


def one_user(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "user:1:name", "Alice")
    dapr.save_state(STORE, "user:1", json.dumps({"name": "Alice", "email": "alice@example.com", "age": 30}))

    name = dapr.get_state(STORE, "user:1:name")
    print("name:", name.text() if name.data else "not found")
    print("user:", dapr.get_state(STORE, "user:1").json())

    dapr.delete_state(STORE, "user:1:name")
    print("name after its deletion:", dapr.get_state(STORE, "user:1:name").text() or "not found")


def many_users(dapr: DaprClient) -> None:
    users = {
        "user:1": {"name": "Alice", "age": 30},
        "user:2": {"name": "Bob", "age": 25},
        "user:3": {"name": "Charlie", "age": 35},
    }
    dapr.save_bulk_state(STORE, [StateItem(key=key, value=json.dumps(user)) for key, user in users.items()])

    # A key that is not there is an item without data, not an error.
    for item in dapr.get_bulk_state(STORE, [*users, "user:4"]).items:
        print(f"{item.key}:", item.json() if item.data else "not found")

    dapr.delete_state(STORE, "user:3")
    print("deleted user:3")


if __name__ == "__main__":
    with DaprClient() as client:
        one_user(client)
        many_users(client)
