"""What is sent again and what is not, without a server and without a clock."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any

from holdfast import (
    Cancelled,
    Check,
    Conflict,
    Delete,
    HoldfastError,
    InvalidArgument,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PreconditionFailed,
    Put,
    ReplicationShortfall,
    Retry,
    Unavailable,
    _calls,
    _selecting,
    _session,
    _verbs,
)
from holdfast._calls import Failure, Nature, Pause, Reply, Send
from holdfast.v2 import state_pb2 as pb
from holdfast.wire import messages_pb2 as wire

Code = grpc.StatusCode


def told(code, reason, message="said so", **metadata):
    info = wire.ErrorInfo(reason=reason, domain="holdfast", metadata=metadata)
    detail = Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
    status = wire.Status(code=code.value[0], message=message, details=[detail])
    return Failure(code, message, [("grpc-status-details-bin", status.SerializeToString())])


BUSY = told(Code.UNAVAILABLE, "OVERLOADED")
DOWN = told(Code.UNAVAILABLE, "UNAVAILABLE")
UNKNOWN = told(Code.UNAVAILABLE, "OUTCOME_UNKNOWN")
SHORT = told(Code.UNAVAILABLE, "REPLICATION_SHORTFALL")
MISMATCH = told(Code.FAILED_PRECONDITION, "PRECONDITION_FAILED", current_etag='"7"')
BROKEN = Failure(Code.UNAVAILABLE, "Socket closed", [])
RESET = Failure(Code.INTERNAL, "Received RST_STREAM with error code 2", [])
NOT_THERE = Failure(Code.UNAVAILABLE, "failed to connect to all addresses; last error: refused", [])
NO_ROOM = Failure(Code.UNAVAILABLE, "too many bytes in flight; try again later", [])


class Clock:
    """Time passes only by pauses, and by what a sending takes."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def run(call, outcomes, timeout=10.0, retry=None, session=None, sending_seconds=0.0):
    """Result or error, what was sent, and the pauses."""
    clock = Clock()
    settings = _calls.Settings(timeout=timeout, retry=retry or Retry())
    steps = _calls.attempts(call, settings, session or _session.Session(), clock, lambda: 0.0)
    outcomes = list(outcomes)
    sent, pauses, told_it = [], [], None
    try:
        while True:
            step = steps.send(told_it)
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                clock.now += step.seconds
                told_it = None
            else:
                assert isinstance(step, Send)
                sent.append(step)
                clock.now += sending_seconds
                told_it = outcomes.pop(0)
    except StopIteration as done:
        assert not outcomes
        return done.value, sent, pauses
    except HoldfastError as error:
        assert not outcomes
        return error, sent, pauses


READ = _verbs.get("s", "k")
PLAIN = _verbs.put("s", "k", b"v")
GUARDED = _verbs.put("s", "k", b"v", etag='"1"')
RECORD = Reply(pb.Record(key="k", value=b"v"), [])
WRITTEN = Reply(pb.PutResponse(etag='"2"'), [])


@pytest.mark.parametrize("failure", [BUSY, DOWN, BROKEN, RESET, NOT_THERE, NO_ROOM])
def test_a_read_that_was_not_answered_is_sent_again(failure):
    result, sent, pauses = run(READ, [failure, failure, RECORD])
    assert result.value == b"v" and len(sent) == 3 and pauses == [0.05, 0.1]


@pytest.mark.parametrize("call", [PLAIN, GUARDED])
@pytest.mark.parametrize("failure", [BUSY, DOWN, NOT_THERE, NO_ROOM])
def test_a_write_of_which_nothing_was_applied_is_sent_again(call, failure):
    result, sent, _ = run(call, [failure, WRITTEN])
    assert result.etag == '"2"' and len(sent) == 2


@pytest.mark.parametrize("failure", [BROKEN, RESET, Failure(Code.UNKNOWN, "Stream removed", [])])
def test_a_write_whose_connection_broke_is_an_unknown_outcome(failure):
    error, sent, pauses = run(PLAIN, [failure])
    assert type(error) is OutcomeUnknown and error.reason == "OUTCOME_UNKNOWN" and len(sent) == 1 and not pauses
    assert failure.message in error.message and error.__cause__ is not None


@pytest.mark.parametrize("call", [READ, PLAIN, GUARDED])
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (UNKNOWN, OutcomeUnknown),
        (SHORT, ReplicationShortfall),
        (MISMATCH, PreconditionFailed),
        (told(Code.ABORTED, "CONFLICT"), Conflict),
        (told(Code.INVALID_ARGUMENT, "INVALID_ARGUMENT"), InvalidArgument),
        (told(Code.NOT_FOUND, "NOT_FOUND"), NotFound),
    ],
)
def test_what_the_sidecar_has_judged_is_never_sent_again(call, failure, kind):
    error, sent, _ = run(call, [failure])
    assert type(error) is kind and len(sent) == 1


def test_a_guarded_write_is_sent_again_after_its_connection_broke():
    result, sent, _ = run(GUARDED, [BROKEN, BUSY, WRITTEN])
    assert result.etag == '"2"' and len(sent) == 3


def test_a_mismatch_after_a_broken_connection_may_be_the_first_ones_success():
    error, sent, _ = run(GUARDED, [BROKEN, MISMATCH])
    assert type(error) is OutcomeUnknown and error.current_etag == '"7"' and len(sent) == 2
    assert isinstance(error.__cause__, PreconditionFailed)


def test_nothing_that_follows_makes_a_lost_write_certain():
    error, _, _ = run(GUARDED, [BROKEN, *[BUSY] * 5])
    assert type(error) is OutcomeUnknown and isinstance(error.__cause__, Overloaded)


def test_a_plain_write_lost_on_its_second_sending_is_lost():
    error, sent, _ = run(PLAIN, [BUSY, BROKEN])
    assert type(error) is OutcomeUnknown and len(sent) == 2


def test_attempts_are_bounded():
    error, sent, pauses = run(READ, [BUSY] * 6)
    assert type(error) is Overloaded and len(sent) == 6
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8]
    error, sent, pauses = run(PLAIN, [DOWN], retry=Retry(attempts=1))
    assert type(error) is Unavailable and not pauses


def test_pauses_grow_to_their_bound_and_vary_by_half():
    retry = Retry(first_delay=0.1, max_delay=0.5)
    assert [retry.delay(attempt, 0.0) for attempt in (1, 2, 3, 4, 5, 5000)] == [0.1, 0.2, 0.4, 0.5, 0.5, 0.5]
    assert retry.delay(1, 1.0) == 0.05


def test_the_deadline_is_that_of_all_sendings():
    result, sent, _ = run(READ, [BUSY, BUSY, RECORD], timeout=1.0, sending_seconds=0.3)
    assert result is not None
    assert [round(step.timeout, 3) for step in sent] == [1.0, 0.65, 0.25]
    error, sent, pauses = run(READ, [BUSY, BUSY], timeout=0.7, sending_seconds=0.3)
    assert type(error) is Overloaded and pauses == [0.05], "a pause that would end behind the deadline is not begun"
    result, sent, _ = run(_verbs.get("s", "k", timeout=3), [RECORD])
    assert sent[0].timeout == 3
    result, sent, _ = run(READ, [RECORD], timeout=None)
    assert sent[0].timeout is None


def test_a_closed_client_ends_its_calls():
    closed = Failure(Code.CANCELLED, "Channel closed!", [])
    error, sent, _ = run(READ, [closed])
    assert type(error) is Cancelled and len(sent) == 1
    assert type(run(GUARDED, [closed])[0]) is OutcomeUnknown


def test_only_what_cannot_be_applied_twice_is_guarded():
    guarded = [
        _verbs.put("s", "k", 1, etag="1"),
        _verbs.put("s", "k", 1, if_absent=True),
        _verbs.delete("s", "k", etag=["1", "2"]),
        _verbs.increment("s", "k", etag="1"),
        _verbs.append("s", "k", b"", if_absent=True),
        _verbs.transact("s", [Check("c", etag="1"), Put("k", 1, etag="1"), Put("l", 2)]),
        _verbs.batch_write("s", [Put("k", 1, etag="1"), Delete("l", etag="1")]),
    ]
    plain = [
        _verbs.put("s", "k", 1),
        _verbs.put("s", "k", 1, if_present=True),
        _verbs.delete("s", "k"),
        _verbs.delete("s", "k", if_present=True),
        _verbs.increment("s", "k"),
        _verbs.merge("s", "k", {}, if_present=True),
        _verbs.delete_prefix("s", "p"),
        _verbs.transact("s", [Check("c", etag="1"), Put("k", 1)]),
        _verbs.batch_write("s", [Put("k", 1, etag="1"), Put("l", 1)]),
        _verbs.batch_write("s", []),
    ]
    reads = [READ, _selecting.list_page("s"), _selecting.query_page("s"), _verbs.batch_get("s", ["k"])]
    assert {call.nature for call in guarded} == {Nature.GUARDED}
    assert {call.nature for call in plain} == {Nature.WRITE}
    assert {call.nature for call in reads} == {Nature.READ}


def test_an_item_of_a_repeated_batch_that_does_not_match_is_unknown():
    call = _verbs.batch_write("s", [Put("a", 1, etag="1"), Delete("b", etag="1"), Put("c", 1, if_absent=True)])
    failure = pb.Failure(code=9, reason="PRECONDITION_FAILED", message="moved", current_etag='"5"')
    denied = pb.Failure(code=7, reason="DENIED", message="no")
    items = [
        pb.WriteResult(key="a", failure=failure),
        pb.WriteResult(key="b", failure=denied),
        pb.WriteResult(key="c", etag='"9"'),
    ]
    answer = Reply(pb.BatchWriteResponse(items=items), [])
    first, _, _ = run(call, [answer])
    assert [type(result.error).__name__ for result in first] == ["PreconditionFailed", "PermissionDenied", "NoneType"]
    again, _, _ = run(call, [BROKEN, answer])
    assert [type(result.error).__name__ for result in again] == ["OutcomeUnknown", "PermissionDenied", "NoneType"]
    assert again[0].error.current_etag == '"5"' and again[2].etag == '"9"'


def test_a_missing_record_is_none_and_a_missing_store_is_not():
    assert run(READ, [told(Code.NOT_FOUND, "NOT_FOUND", "state store s holds no record under this key")])[0] is None
    error, _, _ = run(READ, [told(Code.NOT_FOUND, "NOT_FOUND", 'there is no state store "s"; loaded: none.')])
    assert type(error).__name__ == "StoreNotFound" and isinstance(error, NotFound) and error.status == 404
    error, _, _ = run(_selecting.list_page("s"), [told(Code.NOT_FOUND, "NOT_FOUND", "cursor-expired")])
    assert type(error).__name__ == "CursorExpired" and error.status == 410


def test_the_session_of_every_answer_is_kept_and_sent():
    session = _session.Session("from-elsewhere")
    failure = Failure(BUSY.code, BUSY.message, [*BUSY.metadata, ("holdfast-session", "told-with-an-error")])
    answer = Reply(RECORD.message, [("holdfast-session", "newest"), ("holdfast-consistency", "quorum")])
    result, sent, _ = run(READ, [failure, answer], session=session)
    assert [dict(step.metadata)["holdfast-session"] for step in sent] == ["from-elsewhere", "told-with-an-error"]
    assert session.token == "newest" and result.consistency.value == "quorum"
    run(READ, [RECORD], session=session)
    assert session.token == "newest", "an answer without one changes nothing"
