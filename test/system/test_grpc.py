"""gRPC: Dapr's service by its official SDK and by reflection, ours by reflection, health."""
import asyncio

import grpc
import pytest
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, Consistency, StateItem, StateOptions
from google.protobuf import json_format, symbol_database
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


@pytest.fixture
def environment(sidecar, monkeypatch):
    monkeypatch.setenv("DAPR_HTTP_PORT", str(sidecar.http_port))
    monkeypatch.setenv("DAPR_GRPC_PORT", str(sidecar.grpc_port))
    return f"127.0.0.1:{sidecar.grpc_port}"


@pytest.fixture
def client(environment):
    with DaprClient(environment) as made:
        yield made


def test_sdk_saves_reads_and_deletes(client, store, key):
    client.save_state(store, key, "hello", state_metadata={"ttlInSeconds": "100"})
    got = client.get_state(store, key)
    assert got.data == b"hello" and got.etag
    client.delete_state(store, key)
    assert client.get_state(store, key).data == b""


def test_sdk_sees_etag_conflicts(client, store, key):
    client.save_state(store, key, "1")
    etag = client.get_state(store, key).etag
    options = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)
    client.save_state(store, key, "2", etag=etag, options=options)
    with pytest.raises(grpc.RpcError) as conflict:
        client.save_state(store, key, "3", etag=etag, options=options)
    assert conflict.value.code() == grpc.StatusCode.ABORTED
    with pytest.raises(DaprGrpcError) as gone:
        client.delete_state(store, key, etag="bad")
    assert gone.value.code() == grpc.StatusCode.ABORTED
    assert gone.value.error_code() == "ERR_STATE_DELETE"
    assert client.get_state(store, key).data == b"2"


def test_sdk_bulk_and_transactions(client, store, key):
    client.save_bulk_state(store, [StateItem(key=f"{key}{i}", value=f"v{i}") for i in range(10)])
    items = client.get_bulk_state(store, [f"{key}{i}" for i in range(11)]).items
    assert [item.data for item in items] == [b"v%d" % i for i in range(10)] + [b""]
    client.execute_state_transaction(store, [
        TransactionalStateOperation(operation_type=TransactionOperationType.upsert, key=key + "0", data="new"),
        TransactionalStateOperation(operation_type=TransactionOperationType.delete, key=key + "1")])
    assert client.get_state(store, key + "0").data == b"new"
    assert client.get_state(store, key + "1").data == b""
    with pytest.raises(grpc.RpcError) as failed:
        client.execute_state_transaction(store, [
            TransactionalStateOperation(operation_type=TransactionOperationType.upsert, key=key + "2", data="x"),
            TransactionalStateOperation(operation_type=TransactionOperationType.upsert, key=key + "3", data="x", etag="bad")])
    assert failed.value.code() == grpc.StatusCode.INTERNAL
    assert client.get_state(store, key + "2").data == b"v2"


def test_sdk_errors(client, store):
    with pytest.raises(DaprGrpcError) as unknown:
        client.get_state("nope", "k")
    assert unknown.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert unknown.value.details() == "state store nope is not found"
    assert unknown.value.error_code() == "DAPR_STATE_NOT_FOUND"
    with pytest.raises(DaprGrpcError) as illegal:
        client.save_state(store, "a||b", "x")
    assert illegal.value.details() == "input key/keyPrefix 'a||b' can't contain '||'"
    with pytest.raises(DaprGrpcError) as query:
        client.query_state(store, "{}")
    assert query.value.code() == grpc.StatusCode.INTERNAL


def test_sdk_metadata(client):
    client.set_metadata("from", "sdk")
    metadata = client.get_metadata()
    assert metadata.application_id == "test"
    assert metadata.extended_metadata["from"] == "sdk"
    assert [c.name for c in metadata.registered_components][:2] == ["mem", "lite"]


def test_sdk_bytes_are_stored_as_they_are(client, store, key):
    blob = bytes(range(256)) * 100
    client.save_state(store, key, blob)
    assert client.get_state(store, key).data == blob


def test_json_by_content_type_is_normalised(client, store, key):
    client.save_state(store, key, '{"b": 2.50, "a": 1}', state_metadata={"contentType": "application/json"})
    assert client.get_state(store, key).data == b'{"a":1,"b":2.5}'


def test_aio_sdk(environment, store, key):
    from dapr.aio.clients import DaprClient as AioClient

    async def run():
        async with AioClient(environment) as client:
            await client.save_state(store, key, "hello")
            await asyncio.gather(*(client.save_state(store, f"{key}{i}", str(i)) for i in range(50)))
            values = await asyncio.gather(*(client.get_state(store, f"{key}{i}") for i in range(50)))
            assert [v.data for v in values] == [str(i).encode() for i in range(50)]
            await client.delete_state(store, key)
            return (await client.get_state(store, key)).data

    assert asyncio.run(run()) == b""


class Reflected:
    """Calls methods by what reflection tells, as grpcurl does."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = DescriptorPool(self.database)

    def call(self, service, method, request, **options):
        descriptor = self.pool.FindServiceByName(service).methods_by_name[method]
        message = json_format.ParseDict(request, GetMessageClass(descriptor.input_type)())
        answer = GetMessageClass(descriptor.output_type)
        stub = self.channel.unary_unary(f"/{service}/{method}", request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=answer.FromString)
        return json_format.MessageToDict(stub(message, timeout=10, **options), descriptor_pool=self.pool)


@pytest.fixture(params=["grpc_port", "http_port"])
def reflected(sidecar, request):
    """gRPC is recognised on either port."""
    with grpc.insecure_channel(f"127.0.0.1:{getattr(sidecar, request.param)}") as channel:
        yield Reflected(channel)


def test_reflection_lists_the_services(reflected):
    assert set(reflected.database.get_services()) >= {"dapr.proto.runtime.v1.Dapr", "holdfast.v2.State", "grpc.health.v1.Health"}


def test_dapr_by_reflection(reflected, store, key):
    dapr = "dapr.proto.runtime.v1.Dapr"
    reflected.call(dapr, "SaveState", {"storeName": store, "states": [{"key": key, "value": "aGk="}]})
    got = reflected.call(dapr, "GetState", {"storeName": store, "key": key})
    assert got["data"] == "aGk="
    reflected.call(dapr, "DeleteBulkState", {"storeName": store, "states": [{"key": key}]})
    assert reflected.call(dapr, "GetState", {"storeName": store, "key": key}) == {}


@pytest.mark.parametrize("method, code", [
    ("PublishEvent", grpc.StatusCode.INVALID_ARGUMENT), ("InvokeBinding", grpc.StatusCode.INTERNAL),
    ("GetSecret", grpc.StatusCode.FAILED_PRECONDITION), ("TryLockAlpha1", grpc.StatusCode.FAILED_PRECONDITION),
    ("GetActorState", grpc.StatusCode.UNAVAILABLE), ("StartWorkflowBeta1", grpc.StatusCode.UNAVAILABLE),
    ("SubtleSignAlpha1", grpc.StatusCode.UNIMPLEMENTED),
])
def test_other_building_blocks_fail_cleanly(reflected, method, code):
    with pytest.raises(grpc.RpcError) as failed:
        reflected.call("dapr.proto.runtime.v1.Dapr", method, {})
    assert failed.value.code() == code


def test_v2_by_reflection(reflected, store, key):
    v2 = "holdfast.v2.State"
    put = reflected.call(v2, "Put", {"store": store, "key": key, "value": "MQ==", "contentType": "text/plain",
                                     "when": {"absent": True}, "tags": {"a": "b"}, "wantRecord": True})
    assert put["created"] is True and put["record"]["tags"] == {"a": "b"}
    got = reflected.call(v2, "Get", {"store": store, "key": key})
    assert (got["value"], got["contentType"], got["etag"]) == ("MQ==", "text/plain", put["etag"])
    with pytest.raises(grpc.RpcError) as conflict:
        reflected.call(v2, "Put", {"store": store, "key": key, "when": {"absent": True}})
    assert conflict.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    listed = reflected.call(v2, "List", {"store": store, "prefix": key})
    assert [item["key"] for item in listed["items"]] == [key]
    assert reflected.call(v2, "Delete", {"store": store, "key": key, "when": {"etags": {"values": [put["etag"]]}}})["existed"]
    with pytest.raises(grpc.RpcError) as absent:
        reflected.call(v2, "Get", {"store": store, "key": key})
    assert absent.value.code() == grpc.StatusCode.NOT_FOUND


def test_health(sidecar):
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
        assert health.Check(health_pb2.HealthCheckRequest(service="lite")).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            health.Check(health_pb2.HealthCheckRequest(service="nope"))
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


def test_unknown_methods_and_over_size_messages(sidecar, store):
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        raw = lambda path, body: channel.unary_unary(path)(body, timeout=10)
        with pytest.raises(grpc.RpcError) as unknown:
            raw("/dapr.proto.runtime.v1.Dapr/Nope", b"")
        assert unknown.value.code() == grpc.StatusCode.UNKNOWN
        with pytest.raises(grpc.RpcError) as large:
            raw("/dapr.proto.runtime.v1.Dapr/SaveState", b"x" * (5 << 20))
        assert large.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert large.value.details() == f"grpc: received message larger than max ({5 << 20} vs. {4 << 20})"
        with pytest.raises(grpc.RpcError) as malformed:
            raw("/dapr.proto.runtime.v1.Dapr/GetState", b"\xff\xff\xff")
        assert malformed.value.code() == grpc.StatusCode.INTERNAL
        with pytest.raises(grpc.RpcError) as not_text:
            raw("/dapr.proto.runtime.v1.Dapr/GetState", b"\x0a\x03mem\x12\x02\xff\xfe")
        assert not_text.value.code() == grpc.StatusCode.INTERNAL
