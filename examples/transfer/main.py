"""Money moves between accounts in one transaction, and none is made or lost, however many move at once.

Follows "Transaction Example" of the course module. Changed, to the names of dapr 1.19:

- An operation is `TransactionalStateOperation(key, data, etag, operation_type)`; `TransactionOperationType` is the
  enumeration that its `operation_type` takes, and `StateItem` belongs to `save_bulk_state`.
- `execute_transaction` is `execute_state_transaction`.
- `state.json()` is parsed already.

and so that the sum is right:

- The module reads a missing account as a balance of 0. It has no etag then, nothing is compared, and of two first
  deposits one is lost. Accounts are opened beforehand, by a save that creates or fails, and a transfer asks for both.
- A refused transaction is one that read what is no longer true. It is read again and repeated, which the module leaves to
  its reader.
- Money is counted in cents: floats do not add up. An amount is positive, and the two accounts are two.
"""

import json
import random
import sys
import threading

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, StateOptions

STORE = "statestore"


class InsufficientFunds(Exception):
    pass


class NoSuchAccount(Exception):
    pass


def key_of(account: str) -> str:
    return f"account:{account}"


def open_account(dapr: DaprClient, account: str, cents: int) -> bool:
    """False when the account is there already; it is left as it is."""
    create_only = StateOptions(concurrency=Concurrency.first_write)
    try:
        dapr.save_state(STORE, key_of(account), json.dumps({"balance": cents}), options=create_only)
        return True
    except DaprGrpcError as error:
        if error.code() == grpc.StatusCode.ABORTED:
            return False
        raise


def read(dapr: DaprClient, account: str) -> tuple[int, str]:
    state = dapr.get_state(STORE, key_of(account))
    if not state.data:
        raise NoSuchAccount(account)
    return state.json()["balance"], state.etag


def put(account: str, cents: int, etag: str) -> TransactionalStateOperation:
    return TransactionalStateOperation(
        key=key_of(account),
        data=json.dumps({"balance": cents}),
        etag=etag,
        operation_type=TransactionOperationType.upsert,
    )


def transfer(dapr: DaprClient, source: str, target: str, cents: int) -> int:
    """Moves the money; returns how often it had to begin again."""
    if cents <= 0 or source == target:
        raise ValueError("a transfer is of a positive amount between two accounts")
    conflicts = 0
    while True:
        source_balance, source_etag = read(dapr, source)
        target_balance, target_etag = read(dapr, target)
        if source_balance < cents:
            raise InsufficientFunds(f"{source} holds {source_balance}, less than {cents}")
        operations = [
            put(source, source_balance - cents, source_etag),
            put(target, target_balance + cents, target_etag),
        ]
        try:
            dapr.execute_state_transaction(STORE, operations)
            return conflicts
        except DaprGrpcError as error:
            # Dapr gives every failed transaction the status INTERNAL; only the text tells a conflict. Somebody's
            # transfer went through for each conflict, so all of them come to their end.
            if "etag mismatch" not in error.details():
                raise
            conflicts += 1


def main(movers: int = 6, moves: int = 20) -> None:
    accounts = ["alice", "bob", "carol", "dave"]
    with DaprClient() as dapr:
        for account in accounts:
            open_account(dapr, account, 100_000)
        before = sum(read(dapr, account)[0] for account in accounts)
        conflicts: list[int] = []
        refused: list[str] = []

        def move(seed: int) -> None:
            choose = random.Random(seed)
            for _ in range(moves):
                source, target = choose.sample(accounts, 2)
                try:
                    conflicts.append(transfer(dapr, source, target, choose.randint(1, 5_000)))
                except InsufficientFunds as error:
                    refused.append(str(error))

        threads = [threading.Thread(target=move, args=(seed,)) for seed in range(movers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        try:
            transfer(dapr, "alice", "bob", 10_000_000)
        except InsufficientFunds as error:
            print("refused:", error)
        after = sum(read(dapr, account)[0] for account in accounts)
        print(f"{len(conflicts)} transfers by {movers} movers, {sum(conflicts)} conflicts, {len(refused)} without funds")
        print(f"total before {before / 100:.2f}, after {after / 100:.2f}")
        if after != before or len(conflicts) + len(refused) != movers * moves:
            sys.exit("money was made or lost")


if __name__ == "__main__":
    main()
