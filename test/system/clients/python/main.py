"""The scenarios of ../README.md with Dapr's Python SDK: main.py STORE

The SDK speaks gRPC for state; it asks for the sidecar's health over HTTP when a client is made. It shows no expiry, so the
record with a TTL is watched until it goes.
"""

import json
import sys
import time
from collections.abc import Callable

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, Consistency, StateItem, StateOptions

STORE = sys.argv[1]
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)
MISMATCH = "possible etag mismatch"


def equal(got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise AssertionError(f"{what}: expected {wanted!r}, got {got!r}")


def refused(call: Callable[[], object], status: grpc.StatusCode, reason: str, text: str) -> None:
    try:
        call()
    except DaprGrpcError as error:
        equal(error.code(), status, "status")
        equal(error.error_code(), reason, "error code")
        assert text in error.details(), f"expected {text!r} in {error.details()!r}"
        return
    raise AssertionError("the sidecar should have refused this")


def value(dapr: DaprClient, key: str) -> bytes:
    return dapr.get_state(STORE, key).data


def save_and_get(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "greeting", "hello")
    equal(value(dapr, "greeting"), b"hello", "value")
    blob = bytes(range(256))
    dapr.save_state(STORE, "greeting", blob)
    equal(value(dapr, "greeting"), blob, "overwritten value")


def missing_key(dapr: DaprClient) -> None:
    missing = dapr.get_state(STORE, "nothing-here")
    equal((missing.data, missing.etag), (b"", ""), "data and etag")


def bulk(dapr: DaprClient) -> None:
    keys = [f"bulk-{i}" for i in range(10)]
    dapr.save_bulk_state(STORE, [StateItem(key=key, value=f"value of {key}") for key in keys])
    items = dapr.get_bulk_state(STORE, [*keys, "bulk-missing"], parallelism=4).items
    equal([item.key for item in items], [*keys, "bulk-missing"], "keys")
    equal([item.data for item in items[:10]], [f"value of {key}".encode() for key in keys], "values")
    assert all(item.etag and not item.error for item in items[:10])
    equal((items[10].data, items[10].etag, items[10].error), (b"", "", ""), "the missing item")


def upsert(key: str, data: str, etag: str | None = None) -> TransactionalStateOperation:
    return TransactionalStateOperation(key=key, data=data, etag=etag)


def transaction(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "cart", "full")
    gone = TransactionalStateOperation(key="cart", operation_type=TransactionOperationType.delete)
    dapr.execute_state_transaction(STORE, [upsert("order", "placed"), gone])
    equal((value(dapr, "order"), value(dapr, "cart")), (b"placed", b""), "order and cart")


def transaction_refused(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "from", "100")
    dapr.save_state(STORE, "to", "0")
    operations = [upsert("from", "0"), upsert("to", "100", etag="7")]
    refused(lambda: dapr.execute_state_transaction(STORE, operations), grpc.StatusCode.INTERNAL, "ERR_STATE_TRANSACTION", MISMATCH)
    equal((value(dapr, "from"), value(dapr, "to")), (b"100", b"0"), "from and to")


def delete_with_etag(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "doomed", "still here")
    refused(lambda: dapr.delete_state(STORE, "doomed", etag="bad"), grpc.StatusCode.ABORTED, "ERR_STATE_DELETE", MISMATCH)
    record = dapr.get_state(STORE, "doomed")
    equal(record.data, b"still here", "value after the refused delete")
    dapr.delete_state(STORE, "doomed", etag=record.etag, options=FIRST_WRITE)
    equal(value(dapr, "doomed"), b"", "value after the delete")


def first_write(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "counter", "one")
    etag = dapr.get_state(STORE, "counter").etag
    dapr.save_state(STORE, "counter", "two", etag=etag, options=FIRST_WRITE)
    for data, expected in (("three", etag), ("new", None)):
        refused(lambda d=data, e=expected: dapr.save_state(STORE, "counter", d, etag=e, options=FIRST_WRITE),
                grpc.StatusCode.ABORTED, "ERR_STATE_SAVE", MISMATCH)
    equal(value(dapr, "counter"), b"two", "value")


def ttl(dapr: DaprClient) -> None:
    dapr.save_state(STORE, "session", "short", state_metadata={"ttlInSeconds": "1"})
    end = time.monotonic() + 15
    while value(dapr, "session"):
        assert time.monotonic() < end, "the record should have expired"
        time.sleep(0.02)  # between two looks


def metadata(dapr: DaprClient) -> None:
    dapr.set_metadata("client", "python")
    told = dapr.get_metadata()
    equal((told.application_id, told.extended_metadata["client"]), ("test", "python"), "id and attribute")
    found = [one for one in told.registered_components if one.name == STORE]
    assert len(found) == 1 and {"ETAG", "TRANSACTIONAL", "TTL"} <= set(found[0].capabilities)


def secrets(dapr: DaprClient) -> None:
    equal(dict(dapr.get_secret("vault", "api-key").secret), {"api-key": "k-123"}, "one secret")
    everything = {name: dict(values) for name, values in dapr.get_bulk_secret("vault").secrets.items()}
    equal(everything, {"api-key": {"api-key": "k-123"}, "database:password": {"database:password": "p&ss"}}, "all secrets")


def unknown_store(dapr: DaprClient) -> None:
    refused(lambda: dapr.get_state("nope", "key"), grpc.StatusCode.INVALID_ARGUMENT, "DAPR_STATE_NOT_FOUND", "state store nope is not found")


def shutdown(dapr: DaprClient) -> None:
    dapr.shutdown()


SCENARIOS = (save_and_get, missing_key, bulk, transaction, transaction_refused, delete_with_etag, first_write, ttl, metadata,
             secrets, unknown_store, shutdown)


def main() -> int:
    with DaprClient() as dapr:
        for scenario in SCENARIOS:
            line: dict[str, object] = {"scenario": scenario.__name__, "ok": True}
            try:
                scenario(dapr)
            except DaprGrpcError as error:
                line |= {"ok": False, "error": error.json()}
            except (AssertionError, grpc.RpcError, ValueError) as error:
                line |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
            print(json.dumps(line), flush=True)
            if not line["ok"]:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
