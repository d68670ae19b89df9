from holdfast.seed import DaprClient
import json

# Simple string value
with DaprClient() as dapr:
    dapr.save_state(
        store_name="statestore",
        key="user:1:name",
        value="Alice"
    )

# JSON object
user_data = {
    "name": "Alice",
    "email": "alice@example.com",
    "age": 30
}
dapr.save_state(
    store_name="statestore",
    key="user:1",
    value=json.dumps(user_data)
)
