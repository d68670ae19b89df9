"""Watches: what each message and each end of a stream leads to, without a server; and both clients against one."""

import asyncio
import gc
import threading
import time
import weakref

import grpc
import pytest
from drive import KINDS, Clients, ScriptedSidecar, refusal, stay, stream
from test_attempts import BROKEN, BUSY, DOWN, NOT_THERE, Clock, told

import holdfast
from holdfast import EventKind, _calls, _watch
from holdfast._calls import Failure, Pause, Reply
from holdfast.v2 import state_pb2 as pb

Code = grpc.StatusCode
Kind = pb.WatchEvent
STOPPED = told(Code.UNAVAILABLE, "UNAVAILABLE", "the sidecar stops; watch again with the last `resume`")
CANCELLED = Failure(Code.CANCELLED, "RST_STREAM with error code 8", [])


def ready(resume="1"):
    return pb.WatchEvent(kind=Kind.KIND_READY, resume=resume)


def resync(resume="9"):
    return pb.WatchEvent(kind=Kind.KIND_RESYNC, resume=resume)


def put(key, resume):
    return pb.WatchEvent(kind=Kind.KIND_PUT, key=key, record=pb.Record(key=key, etag='"1"'), resume=resume)


def run(*outcomes, resume=None, timeout=None, stream_seconds=0.0, **settings):
    """Feeds the outcomes to a watch: a list is a stream's messages, then comes its end. What it did, in short."""
    clock, did = Clock(), []
    steps = _watch.watching(
        _watch.request_of("s", "p", None, resume, False), _calls.Settings(**settings), timeout, clock, lambda: 0.0
    )
    left = [item for outcome in outcomes for item in (outcome if isinstance(outcome, list) else [outcome])]
    outcome = None
    try:
        while True:
            step = steps.send(outcome)
            outcome = None
            if isinstance(step, holdfast.WatchEvent):
                did.append((step.kind.value, step.key, step.resume))
            elif isinstance(step, Pause):
                did.append(step.seconds)
                clock.now += step.seconds
            elif isinstance(step, _watch.Next):
                if not left:
                    return did
                item = left.pop(0)
                outcome = item if isinstance(item, Failure) else Reply(item, [])
                clock.now += stream_seconds if isinstance(item, Failure) else 0
            else:
                did.append("listen" + (f" after {step.request.resume}" if step.request.resume else ""))
                assert step.path == "/holdfast.v2.State/Watch" and step.timeout is None
    except holdfast.HoldfastError as error:
        return [*did, type(error).__name__]


def test_events_are_told_as_they_come():
    messages = [
        ready(),
        put("a", "2"),
        pb.WatchEvent(kind=Kind.KIND_DELETE, key="a", resume="3"),
        pb.WatchEvent(kind=Kind.KIND_EXPIRE, key="b", resume="4"),
        pb.WatchEvent(kind=99, key="of tomorrow", resume="5"),
        resync("6"),
    ]
    assert run(messages) == [
        "listen",
        ("ready", "", "1"),
        ("put", "a", "2"),
        ("delete", "a", "3"),
        ("expire", "b", "4"),
        ("resync", "", "6"),
    ]


@pytest.mark.parametrize("end", [STOPPED, BROKEN, BUSY, CANCELLED, told(Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")])
def test_a_stream_that_ends_is_gone_on_with_and_that_is_no_news(end):
    did = run([ready("1"), put("a", "2"), end], [ready("2"), put("b", "3")])
    assert did == ["listen", ("ready", "", "1"), ("put", "a", "2"), 0.05, "listen after 2", ("put", "b", "3")]


def test_what_is_lost_meanwhile_is_said():
    assert run([ready("1"), STOPPED], [resync("7"), put("b", "8")])[-3:] == [
        "listen after 1",
        ("resync", "", "7"),
        ("put", "b", "8"),
    ]


def test_a_store_that_cannot_go_on_has_lost_something():
    did = run([ready(""), put("a", ""), STOPPED], [ready(""), put("b", "")])
    assert did == ["listen", ("ready", "", None), ("put", "a", None), 0.05, "listen", ("resync", "", None), ("put", "b", None)]


def test_a_watch_goes_on_from_what_another_one_saw():
    assert run([ready("5"), put("a", "6")], resume="5") == ["listen after 5", ("ready", "", "5"), ("put", "a", "6")]
    assert run([resync("6")], resume="5") == ["listen after 5", ("resync", "", "6")]
    assert run(DOWN, [ready("5")], resume="5") == ["listen after 5", 0.05, "listen after 5", ("ready", "", "5")]


def test_pauses_grow_and_begin_small_after_a_stream_that_lasted():
    did = run([ready()], STOPPED, NOT_THERE, NOT_THERE, NOT_THERE, NOT_THERE, NOT_THERE, NOT_THERE, [ready()], BROKEN)
    assert [step for step in did if isinstance(step, float)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    did = run([ready()], STOPPED, [ready()], STOPPED, [ready()], STOPPED, stream_seconds=1.5)
    assert [step for step in did if isinstance(step, float)] == [0.05, 0.05, 0.05]


def test_until_it_is_in_place_it_is_tried_as_a_call_is():
    assert run(*[NOT_THERE] * 6) == [
        *["listen", 0.05, "listen", 0.1, "listen", 0.2, "listen", 0.4, "listen", 0.8, "listen"],
        "Unavailable",
    ]
    assert run(NOT_THERE, NOT_THERE, NOT_THERE, timeout=0.3) == ["listen", 0.05, "listen", 0.1, "listen", "Unavailable"]
    assert run([ready(), *[NOT_THERE] * 20])[-2:] == [1.0, "listen after 1"], "afterwards it has time"
    once = holdfast.Retry(attempts=1)
    assert run(NOT_THERE, retry=once) == ["listen", "Unavailable"]
    assert run([ready()], STOPPED, retry=once) == ["listen", ("ready", "", "1"), "Unavailable"]


@pytest.mark.parametrize(
    ("refused", "name"),
    [
        (told(Code.UNIMPLEMENTED, "UNSUPPORTED"), "Unsupported"),
        (told(Code.PERMISSION_DENIED, "DENIED"), "PermissionDenied"),
        (told(Code.NOT_FOUND, "NOT_FOUND", 'there is no state store "s"'), "StoreNotFound"),
        (Failure(Code.UNAUTHENTICATED, "the token is no longer what it was", []), "Unauthenticated"),
        (Failure(Code.RESOURCE_EXHAUSTED, "too large", []), "TooLarge"),
    ],
)
def test_what_is_refused_ends_it(refused, name):
    assert run(refused) == ["listen", name]
    assert run([ready()], STOPPED, refused)[-2:] == ["listen after 1", name]


def test_a_watch_is_of_a_key_or_of_a_prefix():
    with pytest.raises(ValueError, match="not of both"):
        _watch.request_of("s", "p", "k", None, False)
    assert _watch.request_of("s", "", "k", None, True) == pb.WatchRequest(store="s", key="k", want_values=True)
    assert _watch.request_of("s", "p", None, "7", False) == pb.WatchRequest(store="s", prefix="p", resume="7")


@pytest.fixture(params=KINDS)
def client(request):
    made = Clients(request.param)
    yield made
    made.close()


@pytest.fixture
def sidecar():
    with ScriptedSidecar() as made:
        yield made


QUICK = holdfast.Retry(first_delay=0.001, max_delay=0.01)


def test_a_client_sees_events_through_ends_of_the_stream(client, sidecar):
    whole = pb.WatchEvent(kind=Kind.KIND_PUT, key="a", resume="2")
    whole.record.MergeFrom(pb.Record(key="a", value=b"v", etag='"1"', tags={"t": "1"}))
    sidecar.script += [
        stream(ready("1"), whole, then=refusal(Code.UNAVAILABLE, "stops", "UNAVAILABLE")),
        refusal(Code.UNAVAILABLE, "busy", "OVERLOADED"),
        stream(ready("2"), put("b", "3")),
        stream(resync("9"), then=stay),
    ]
    ours = client(sidecar.address, token="s3cret", isolation="tenant", retry=QUICK)
    watch = ours.store("s").watch("p", values=True)
    assert watch.resume is None and not sidecar.asked
    first = next(watch)
    assert first == holdfast.WatchEvent(EventKind.Ready, resume="1")
    event = next(watch)
    assert (event.kind, event.key, event.record.text, event.record.tags) == (EventKind.Put, "a", "v", {"t": "1"})
    assert [(event.kind, event.key) for event in (next(watch), next(watch))] == [(EventKind.Put, "b"), (EventKind.Resync, "")]
    assert watch.resume == "9"
    asked = [pb.WatchRequest.FromString(request) for _, request, _ in sidecar.asked]
    assert [one.resume for one in asked] == ["", "2", "2", "3"]
    assert {(one.store, one.prefix, one.want_values) for one in asked} == {("s", "p", True)}
    assert {(told["dapr-api-token"], told["holdfast-isolation"]) for _, _, told in sidecar.asked} == {("s3cret", "tenant")}
    watch.close()
    assert list(watch) == []


def test_a_refused_watch_raises_once_and_is_over(client, sidecar):
    sidecar.script.append(refusal(Code.UNIMPLEMENTED, "set its field watch to log", "UNSUPPORTED"))
    watch = client(sidecar.address).store("s").watch(key="k")
    with pytest.raises(holdfast.Unsupported, match="log"):
        next(watch)
    assert list(watch) == [] and len(sidecar.asked) == 1


def wait_for(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("where", ["in a stream", "in a pause"])
@pytest.mark.parametrize("what", ["watch", "client"])
def test_another_thread_closes_it(sidecar, where, what):
    slow = holdfast.Retry(first_delay=60, max_delay=60)
    sidecar.script.append(stream(ready(), then=stay if where == "in a stream" else None))
    blocking = holdfast.Client(sidecar.address, retry=slow)
    seen = []

    def look(watch):
        try:
            seen.extend(watch)
            seen.append("over")
        except holdfast.Cancelled:
            seen.append("cancelled")

    with blocking.store("s").watch() as watch:
        looker = threading.Thread(target=look, args=(watch,))
        looker.start()
        wait_for(lambda: seen)
        (watch if what == "watch" else blocking).close()
        looker.join(20)
    assert not looker.is_alive() and seen[1:] == ["over" if what == "watch" else "cancelled"]
    assert len(sidecar.asked) == 1
    blocking.close()


@pytest.mark.parametrize("where", ["in a stream", "in a pause"])
@pytest.mark.parametrize("what", ["watch", "client"])
def test_another_task_closes_it(sidecar, where, what):
    slow = holdfast.Retry(first_delay=60, max_delay=60)
    sidecar.script.append(stream(ready(), then=stay if where == "in a stream" else None))

    async def close_it():
        async with holdfast.aio.Client(sidecar.address, retry=slow) as awaited, awaited.store("s").watch() as watch:
            assert (await anext(watch)).kind is EventKind.Ready
            looker = asyncio.ensure_future(anext(watch))
            while not isinstance(watch._step, _watch.Next if where == "in a stream" else Pause):
                await asyncio.sleep(0.001)
            await (watch if what == "watch" else awaited).close()
            with pytest.raises(StopAsyncIteration if what == "watch" else holdfast.Cancelled):
                await asyncio.wait_for(looker, 20)

    asyncio.run(close_it())
    assert len(sidecar.asked) == 1


def test_a_task_that_is_cancelled_may_ask_again(sidecar):
    """It is cancelled under a stream, and then in the pause after it; nothing is lost, and nothing is said."""
    sidecar.script += [stream(ready("1"), put("a", "2"), then=stay), stream(ready("2"), put("b", "3"), then=stay)]

    async def ask_again():
        brief = holdfast.Retry(first_delay=0.2, max_delay=0.2)
        async with holdfast.aio.Client(sidecar.address, retry=brief) as awaited, awaited.store("s").watch() as watch:
            assert [(await anext(watch)).key for _ in range(2)] == ["", "a"]
            for _ in range(2):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(watch), 0.05)
            return (await anext(watch)).key

    assert asyncio.run(ask_again()) == "b"
    assert [pb.WatchRequest.FromString(request).resume for _, request, _ in sidecar.asked] == ["", "2"]


def test_a_watch_that_nobody_holds_ends(sidecar):
    gone = threading.Event()

    def answer(context):
        context.add_callback(gone.set)
        yield ready().SerializeToString()
        stay(context)

    sidecar.script.append(answer)
    with holdfast.Client(sidecar.address) as blocking:
        watch = blocking.store("s").watch()
        next(watch)
        last = weakref.ref(watch)
        del watch
        gc.collect()
        assert last() is None and gone.wait(20)
