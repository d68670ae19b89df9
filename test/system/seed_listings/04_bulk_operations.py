from holdfast.seed import DaprClient
import json

with DaprClient() as dapr:
    # Save multiple states
    states = [
        ("user:1", json.dumps({"name": "Alice", "age": 30})),
        ("user:2", json.dumps({"name": "Bob", "age": 25})),
        ("user:3", json.dumps({"name": "Charlie", "age": 35})),
    ]

    for key, value in states:
        dapr.save_state(store_name="statestore", key=key, value=value)

    # Get multiple states
    keys = ["user:1", "user:2", "user:3"]
    items = dapr.get_bulk_state(store_name="statestore", keys=keys)

    for item in items:
        print(f"{item.key}: {item.json()}")

    # Delete multiple states
    for key in keys:
        dapr.delete_state(store_name="statestore", key=key)
