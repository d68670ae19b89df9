from holdfast.seed import DaprClient

with DaprClient() as dapr:
    # Get state
    state = dapr.get_state(store_name="statestore", key="user:1:name")

    if state.data:
        print(f"Name: {state.json()}")
    else:
        print("State not found")
