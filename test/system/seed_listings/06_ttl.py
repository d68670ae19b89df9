from holdfast.seed import DaprClient
from holdfast.seed import StateItem, StateOptions
from datetime import timedelta
import json

with DaprClient() as dapr:
    # Save state with TTL of 1 hour
    options = StateOptions(
        metadata={
            "ttlInSeconds": "3600"  # 1 hour
        }
    )

    dapr.save_state(
        store_name="statestore",
        key="session:abc123",
        value=json.dumps({"user_id": "1", "expires_at": "1h"}),
        state_options=options
    )

    print("State saved with 1 hour TTL")
