from holdfast.seed import DaprClient
from holdfast.seed import StateOptions, Consistency

with DaprClient() as dapr:
    options = StateOptions(
        consistency=Consistency.STRONG  # STRONG, EVENTUAL, or CABOA
    )

    dapr.save_state(
        store_name="statestore",
        key="critical:data",
        value="important_data",
        state_options=options
    )
