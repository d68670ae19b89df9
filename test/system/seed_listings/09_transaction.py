from holdfast.seed import DaprClient
from holdfast.seed import StateItem, TransactionOperationType
import json

def transfer_money(from_account: str, to_account: str, amount: float):
    with DaprClient() as dapr:
        # Get current balances
        from_state = dapr.get_state(store_name="statestore", key=f"account:{from_account}")
        to_state = dapr.get_state(store_name="statestore", key=f"account:{to_account}")

        from_balance = json.loads(from_state.json())["balance"] if from_state.data else 0
        to_balance = json.loads(to_state.json())["balance"] if to_state.data else 0

        if from_balance < amount:
            raise ValueError("Insufficient funds")

        # Create transaction operations
        operations = [
            TransactionOperationType(
                operation_type="upsert",
                request=StateItem(
                    key=f"account:{from_account}",
                    value=json.dumps({"balance": from_balance - amount}),
                    etag=from_state.etag
                )
            ),
            TransactionOperationType(
                operation_type="upsert",
                request=StateItem(
                    key=f"account:{to_account}",
                    value=json.dumps({"balance": to_balance + amount}),
                    etag=to_state.etag
                )
            )
        ]

        # Execute transaction atomically
        dapr.execute_transaction(store_name="statestore", operations=operations)

        print(f"Transferred {amount} from {from_account} to {to_account}")

# Usage
transfer_money("123", "456", 100)
