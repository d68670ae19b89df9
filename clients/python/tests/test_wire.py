"""Both clients against a server of the test's, whose answers are written down: metadata, sessions, failures, retries."""

import asyncio
import threading
import time

import grpc
import pytest
from drive import KINDS, Clients, ScriptedSidecar, refusal, reply

import holdfast
from holdfast.v2 import state_pb2 as pb

RECORD = pb.Record(key="k", value=b"v", etag='"1"')
Code = grpc.StatusCode


@pytest.fixture(params=KINDS)
def client(request):
    made = Clients(request.param)
    yield made
    made.close()


@pytest.fixture
def sidecar():
    with ScriptedSidecar() as made:
        yield made


def test_who_calls_is_told_with_every_call(client, sidecar):
    sidecar.script += [reply(RECORD)] * 2
    ours = client(sidecar.address, token="s3cret", isolation="tenant-1")
    assert ours.store("s").get("k").value == b"v"
    ours.store("s", isolation="tenant-2").get("k")
    metadata = [told for _, _, told in sidecar.asked]
    assert [one["dapr-api-token"] for one in metadata] == ["s3cret"] * 2
    assert [one["holdfast-isolation"] for one in metadata] == ["tenant-1", "tenant-2"]
    assert "holdfast-session" not in metadata[0]
    assert pb.GetRequest.FromString(sidecar.asked[0][1]).store == "s"


def test_a_session_is_kept_and_sent_with_what_follows(client, sidecar):
    sidecar.script += [
        reply(pb.PutResponse(etag='"1"'), initial=[("holdfast-session", "one")]),
        reply(RECORD),
        reply(RECORD, trailing=[("holdfast-session", "two")]),
        reply(RECORD),
    ]
    ours = client(sidecar.address)
    store = ours.store("s")
    assert ours.session_token is None
    store.put("k", "v")
    assert ours.session_token == "one"
    store.get("k")
    store.get("k")
    store.get("k")
    assert [told.get("holdfast-session") for _, _, told in sidecar.asked] == [None, "one", "one", "two"]
    assert ours.session_token == "two"


def test_sessions_of_their_own_do_not_mix(client, sidecar):
    sidecar.script += [reply(RECORD, initial=[("holdfast-session", name)]) for name in ("client", "first", "second")]
    sidecar.script += [reply(RECORD)] * 3
    ours = client(sidecar.address)
    first, second = ours.session(), ours.session("handed over")
    for scope in (ours, first, second, ours, first, second):
        scope.store("s").get("k")
    told = [told.get("holdfast-session") for _, _, told in sidecar.asked]
    assert told == [None, None, "handed over", "client", "first", "second"]
    assert (ours.session_token, first.session_token, second.session_token) == ("client", "first", "second")


def test_calls_at_once_leave_all_they_were_told(sidecar):
    together = threading.Barrier(2)

    def told(token):
        def answer(context):
            together.wait(20)
            return reply(RECORD, initial=[("holdfast-session", token)])(context)

        return answer

    def check_and_forget(sent):
        assert sorted(sent.pop(-1).split(",")) == ["one", "two"] and sent == [None, None]
        sidecar.asked.clear()

    def sent():
        return [metadata.get("holdfast-session") for _, _, metadata in sidecar.asked]

    script = [told("one"), told("two"), reply(RECORD, initial=[("holdfast-session", "both")])]
    sidecar.script += script
    with holdfast.Client(sidecar.address) as blocking:
        threads = [threading.Thread(target=blocking.store("s").get, args=("k",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(blocking.session_token.split(",")) == ["one", "two"]
        blocking.store("s").get("k")
        assert blocking.session_token == "both"
        check_and_forget(sent())

    async def at_once():
        async with holdfast.aio.Client(sidecar.address) as awaited:
            await asyncio.gather(*(awaited.store("s").get("k") for _ in range(2)))
            await awaited.store("s").get("k")
            return awaited.session_token

    sidecar.script += script
    assert asyncio.run(at_once()) == "both"
    check_and_forget(sent())


def test_the_level_that_was_served_stands_on_the_result(client, sidecar):
    sidecar.script += [
        reply(RECORD, initial=[("holdfast-consistency", "strong")]),
        reply(pb.ListResponse(items=[RECORD]), trailing=[("holdfast-consistency", "eventual")]),
        reply(RECORD, initial=[("holdfast-consistency", "a level of tomorrow")]),
    ]
    store = client(sidecar.address).store("s")
    assert store.get("k").consistency is holdfast.ConsistencyLevel.Strong
    assert store.list().consistency is holdfast.ConsistencyLevel.Eventual
    assert store.get("k").consistency is None


REASONS = [
    (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT", holdfast.InvalidArgument, 400),
    (Code.PERMISSION_DENIED, "DENIED", holdfast.PermissionDenied, 403),
    (Code.NOT_FOUND, "NOT_FOUND", holdfast.NotFound, 404),
    (Code.ABORTED, "CONFLICT", holdfast.Conflict, 409),
    (Code.FAILED_PRECONDITION, "PRECONDITION_FAILED", holdfast.PreconditionFailed, 412),
    (Code.FAILED_PRECONDITION, "ETAG_INVALID", holdfast.EtagInvalid, 412),
    (Code.INTERNAL, "INTERNAL", holdfast.Internal, 500),
    (Code.UNIMPLEMENTED, "UNSUPPORTED", holdfast.Unsupported, 501),
    (Code.UNAVAILABLE, "REPLICATION_SHORTFALL", holdfast.ReplicationShortfall, 503),
    (Code.UNAVAILABLE, "OUTCOME_UNKNOWN", holdfast.OutcomeUnknown, 504),
    (Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", holdfast.DeadlineExceeded, 504),
    (Code.UNAUTHENTICATED, "", holdfast.Unauthenticated, 401),
    (Code.RESOURCE_EXHAUSTED, "", holdfast.TooLarge, 413),
    (Code.DATA_LOSS, "A_REASON_OF_TOMORROW", holdfast.HoldfastError, 500),
]


@pytest.mark.parametrize(
    ("code", "reason", "kind", "status"), REASONS, ids=[f"{code.name}-{reason}" for code, reason, *_ in REASONS]
)
def test_every_reason_is_an_exception_of_its_own(client, sidecar, code, reason, kind, status):
    metadata = {"current_etag": '"9"', "operation": "3"} if reason else {}
    sidecar.script.append(refusal(code, "why", reason, **metadata))
    with pytest.raises(holdfast.HoldfastError) as raised:
        client(sidecar.address).store("s").put("k", 1)
    error = raised.value
    assert (type(error), error.code, error.reason, error.message, error.status) == (kind, code, reason, "why", status)
    assert (error.current_etag, error.operation) == (('"9"', 3) if reason else (None, None))
    assert len(sidecar.asked) == 1


def test_a_busy_sidecar_is_asked_again(client, sidecar):
    busy = refusal(Code.UNAVAILABLE, "busy", "OVERLOADED")
    sidecar.script += [busy, refusal(Code.UNAVAILABLE, "no store", "UNAVAILABLE"), reply(pb.PutResponse(etag='"1"'))]
    quick = holdfast.Retry(first_delay=0.001)
    assert client(sidecar.address, retry=quick).store("s").put("k", 1).etag == '"1"'
    assert [method for method, _, _ in sidecar.asked] == ["Put"] * 3
    assert len({request for _, request, _ in sidecar.asked}) == 1
    sidecar.script += [busy, busy]
    with pytest.raises(holdfast.Overloaded):
        client(sidecar.address, retry=holdfast.Retry(attempts=2, first_delay=0.001)).store("s").put("k", 1)


def test_a_write_that_may_have_been_applied_is_not_sent_again(client, sidecar):
    sidecar.script.append(refusal(Code.UNAVAILABLE, "Socket closed"))
    with pytest.raises(holdfast.OutcomeUnknown):
        client(sidecar.address).store("s").increment("k")
    assert len(sidecar.asked) == 1


def test_time_is_up(client, sidecar):
    release = threading.Event()

    def slow(context):
        release.wait(20)
        context.abort(Code.CANCELLED, "late")

    sidecar.script.append(slow)
    with pytest.raises(holdfast.DeadlineExceeded):
        client(sidecar.address, timeout=60).store("s").get("k", timeout=0.1)
    release.set()


def test_closing_a_client_ends_its_calls(sidecar):
    release = threading.Event()

    def slow(context):
        release.wait(20)
        context.abort(Code.CANCELLED, "late")

    calls = (lambda store: store.get("k"), holdfast.Cancelled), (lambda store: store.put("k", 1), holdfast.OutcomeUnknown)
    sidecar.script += [slow] * 4

    for number, (call, kind) in enumerate(calls, 1):
        blocking = holdfast.Client(sidecar.address)

        def close_when_asked(number=number, client=blocking):
            while len(sidecar.asked) < number:
                time.sleep(0.001)
            client.close()

        closer = threading.Thread(target=close_when_asked)
        closer.start()
        with pytest.raises(kind):
            call(blocking.store("s"))
        closer.join()

    async def close_under(call, number):
        awaited = holdfast.aio.Client(sidecar.address)
        task = asyncio.ensure_future(call(awaited.store("s")))
        while len(sidecar.asked) < number:
            await asyncio.sleep(0.001)
        await awaited.close()
        await task

    for number, (call, kind) in enumerate(calls, 3):
        with pytest.raises(kind):
            asyncio.run(close_under(call, number))
    release.set()


def test_a_task_that_is_cancelled_stays_cancelled(sidecar):
    release = threading.Event()
    sidecar.script.append(lambda context: release.wait(20) and context.abort(Code.CANCELLED, "late"))

    async def cancel():
        async with holdfast.aio.Client(sidecar.address) as awaited:
            task = asyncio.ensure_future(awaited.store("s").get("k"))
            while not sidecar.asked:
                await asyncio.sleep(0.001)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    release.set()


def test_nobody_there(client):
    with ScriptedSidecar() as gone:
        address = gone.address
    ours = client(address, retry=holdfast.Retry(attempts=3, first_delay=0.001))
    with pytest.raises(holdfast.Unavailable):
        ours.store("s").put("k", 1)


def test_pages_are_followed(client, sidecar):
    pages = [(["a", "b"], "x"), ([], "y"), (["c"], "")]
    sidecar.script += [
        reply(pb.ListResponse(items=[pb.Record(key=key) for key in keys], cursor=cursor)) for keys, cursor in pages
    ]
    assert [record.key for record in client(sidecar.address).store("s").scan("p", values=True, page=2)] == ["a", "b", "c"]
    asked = [pb.ListRequest.FromString(request) for _, request, _ in sidecar.asked]
    assert [(one.prefix, one.cursor, one.limit, one.want_values) for one in asked] == [
        ("p", "", 2, True),
        ("p", "x", 2, True),
        ("p", "y", 2, True),
    ]


def test_pages_of_a_query_are_followed(client, sidecar):
    pages = [(["a", "b"], "x"), ([], "y"), (["c"], "")]
    sidecar.script += [reply(pb.QueryResponse(items=[pb.Record(key=key) for key in keys], token=token)) for keys, token in pages]
    store = client(sidecar.address).store("s")
    found = store.query_all(
        {"filter": {"EQ": {"a": "ü"}}}, prefix="p", tags={"t": "1"}, indexes={"i": "2"}, fields="a.b", scan=True, page=2
    )
    assert [record.key for record in found] == ["a", "b", "c"]
    asked = [pb.QueryRequest.FromString(request) for _, request, _ in sidecar.asked]
    assert [(one.token, one.limit) for one in asked] == [("", 2), ("x", 2), ("y", 2)]
    for one in asked:
        assert (one.query, one.prefix, one.scan, list(one.fields)) == ('{"filter":{"EQ":{"a":"ü"}}}', "p", True, ["a.b"])
        assert (dict(one.tags), dict(one.indexes)) == ({"t": "1"}, {"i": "2"})
    sidecar.script.append(reply(pb.QueryResponse()))
    page = store.query('{"sort":[]}', fields=["a", "b"])
    last = pb.QueryRequest.FromString(sidecar.asked[-1][1])
    assert (last.query, list(last.fields), last.limit) == ('{"sort":[]}', ["a", "b"], 100) and page.cursor is None


def test_many_calls_share_a_client(sidecar):
    sidecar.script += [reply(RECORD)] * 60
    with holdfast.Client(sidecar.address) as blocking:
        threads = [threading.Thread(target=lambda: [blocking.store("s").get("k") for _ in range(5)]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    async def at_once():
        async with holdfast.aio.Client(sidecar.address) as awaited:
            return await asyncio.gather(*(awaited.store("s").get("k") for _ in range(30)))

    assert len(asyncio.run(at_once())) == 30 and len(sidecar.asked) == 60


def test_a_client_that_was_closed_connects_again(sidecar):
    sidecar.script += [reply(RECORD)] * 2
    blocking = holdfast.Client(sidecar.address)
    with blocking:
        blocking.store("s").get("k")
    assert blocking.store("s").get("k").value == b"v"
    blocking.close()
