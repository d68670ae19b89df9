"""An optimistic update: read, change, save with the etag that was read, and begin again if somebody was faster.

Follows "ETags (Optimistic Concurrency)" of the course module, with the retry that its diagram asks for ("Client B must
fetch new state and retry") and its code leaves out. Changed:

- `state.json()` is parsed already; `json.loads` around it fails.
- `options=StateOptions(concurrency=Concurrency.first_write)` goes with the etag: it says what is meant, and without an
  etag it means "create", which is how the account is opened without overwriting one that is there.
- `except Exception` would take every failure for a conflict. A conflict is the status ABORTED.
- The update runs in several threads at once, so that there are conflicts to see.
"""

import json
import sys
import threading

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._state import Concurrency, StateOptions

STORE = "statestore"
KEY = "account:1"
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


def save(dapr: DaprClient, account: dict, etag: str | None) -> bool:
    """False when the record is no longer the one that was read, or, without an etag, when there is one already."""
    try:
        dapr.save_state(STORE, KEY, json.dumps(account), etag=etag, options=FIRST_WRITE)
        return True
    except DaprGrpcError as error:
        if error.code() == grpc.StatusCode.ABORTED:
            return False
        raise


def deposit(dapr: DaprClient, amount: int) -> int:
    """Adds to the balance; returns how many times somebody else was faster."""
    conflicts = 0
    while True:
        state = dapr.get_state(STORE, KEY)
        account = state.json()
        account["balance"] += amount
        if save(dapr, account, state.etag):
            return conflicts
        # Nobody waits in vain: a conflict means that another update went through.
        conflicts += 1


def main(threads: int = 4, deposits: int = 10, amount: int = 50) -> None:
    with DaprClient() as dapr:
        if not save(dapr, {"balance": 100}, etag=None):
            print("the account is there already")
        before = dapr.get_state(STORE, KEY).json()["balance"]
        conflicts: list[int] = []

        def work() -> None:
            conflicts.extend([deposit(dapr, amount) for _ in range(deposits)])

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        after = dapr.get_state(STORE, KEY).json()["balance"]
        print(f"{len(conflicts)} deposits of {amount}, {sum(conflicts)} conflicts: the balance went from {before} to {after}")
        if after != before + threads * deposits * amount:
            sys.exit("an update was lost")


if __name__ == "__main__":
    main()
