from holdfast.seed import DaprClient

with DaprClient() as dapr:
    dapr.delete_state(store_name="statestore", key="user:1")
