from holdfast.seed import DaprClient
from holdfast.seed import StateItem
import json

with DaprClient() as dapr:
    # Get current state
    state = dapr.get_state(store_name="statestore", key="account:1")
    account = json.loads(state.json())
    current_etag = state.etag

    print(f"Current: {account}, ETag: {current_etag}")

    # Modify with optimistic concurrency
    account["balance"] += 50

    try:
        dapr.save_state(
            store_name="statestore",
            key="account:1",
            value=json.dumps(account),
            etag=current_etag  # Use the ETag we got
        )
        print("Update successful!")
    except Exception as e:
        print(f"Conflict! Someone else modified the state. Error: {e}")
