from holdfast.seed import DaprClient
from holdfast.seed import StateOptions

with DaprClient() as dapr:
    options = StateOptions(
        metadata={
            "ttlInSeconds": "3600",
            "secondaryIndex": "user_id:123",
            "createdBy": "serviceA",
            "contentType": "application/json"
        }
    )

    dapr.save_state(
        store_name="statestore",
        key="document:456",
        value="document content",
        state_options=options
    )
