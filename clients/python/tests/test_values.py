"""What calls say and answers read, without a server."""

import pickle
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import grpc
import pytest

from holdfast import ConcurrencyMode, ConsistencyLevel, Delete, PreconditionFailed, Put, Record, Written, _verbs
from holdfast._types import encode, level_name, milliseconds, number_text
from holdfast.v2 import state_pb2 as pb


def test_bytes_and_text_stay_and_everything_else_is_json():
    assert encode(b"\x00\xff", None) == (b"\x00\xff", "")
    assert encode(bytearray(b"a"), "image/png") == (b"a", "image/png")
    assert encode("grüße", None) == ("grüße".encode(), "text/plain; charset=utf-8")
    assert encode('{"a": 1}', "application/json") == (b'{"a": 1}', "application/json")
    assert encode({"a": [1, None, "ü"]}, None) == ('{"a":[1,null,"ü"]}'.encode(), "application/json")
    assert encode([1], "application/vnd.a+json; v=1") == (b"[1]", "application/vnd.a+json; v=1")
    for nothing, text in ((None, b"null"), (0, b"0"), ({}, b"{}")):
        assert encode(nothing, None) == (text, "application/json")
    assert encode(False, None) == (b"false", "application/json")
    with pytest.raises(TypeError, match="text/plain"):
        encode({"a": 1}, "text/plain")
    with pytest.raises(ValueError):
        encode(float("nan"), None)
    with pytest.raises(TypeError):
        encode(object(), None)


def test_a_ttl_is_rounded_up_to_milliseconds():
    assert milliseconds(timedelta(hours=1)) == 3_600_000
    assert milliseconds(1.5) == 1500 and milliseconds(0.0001) == 1 and milliseconds(0.1) == 100 and milliseconds(0) == 0
    for wrong in (-1, timedelta(seconds=-1), float("inf")):
        with pytest.raises(ValueError):
            milliseconds(wrong)


def test_a_ttl_that_is_not_named_clears_with_a_put_and_stays_with_a_patch():
    assert _verbs.put("s", "k", 1).request.ttl_ms == 0
    assert not _verbs.append("s", "k", "x").request.HasField("ttl_ms")
    assert _verbs.append("s", "k", "x", ttl=0).request.HasField("ttl_ms")


def test_numbers_are_exact():
    assert number_text(2**62) == str(2**62) and number_text(Decimal("0.10")) == "0.10" and number_text(None) == ""
    for wrong in (float("inf"), float("nan"), True, Decimal("NaN")):
        with pytest.raises(ValueError):
            number_text(wrong)


def test_levels_are_named_as_in_the_protocol():
    names = [level_name(level) for level in ConsistencyLevel]
    assert names == [name for name in pb.Consistency.keys() if name != "CONSISTENCY_UNSPECIFIED"]  # noqa: SIM118
    assert level_name("bounded-staleness") == "CONSISTENCY_BOUNDED_STALENESS" and level_name(None) is None
    with pytest.raises(ValueError, match="fast"):
        level_name("fast")


def when(**arguments):
    made = _verbs.condition(**arguments)
    return None if made is None else made.WhichOneof("kind")


def test_conditions():
    assert when() is None
    assert when(etag='"1"') == "etags" and when(if_absent=True) == "absent" and when(if_present=True) == "present"
    assert list(_verbs.condition(etag=['"1"', '"2"']).etags.values) == ['"1"', '"2"']
    for wrong in (
        {"etag": "1", "if_absent": True},
        {"if_absent": True, "if_present": True},
        {"etag": ""},
        {"etag": []},
        {"etag": ["1", ""]},
    ):
        with pytest.raises(ValueError):
            _verbs.condition(**wrong)


def test_concurrency_modes_are_conditions():
    first, last = ConcurrencyMode.FirstWrite, ConcurrencyMode.LastWrite
    assert when(concurrency=first, etag='"1"') == "etags" and when(concurrency=first) == "absent"
    assert when(concurrency=last) is None and when(concurrency=last, etag='"1"') is None
    assert _verbs.delete("s", "k", concurrency=first, etag="1").request.when.etags.values == ["1"]
    with pytest.raises(ValueError, match="etag that was read"):
        _verbs.delete("s", "k", concurrency=first)
    with pytest.raises(ValueError, match="etag that was read"):
        _verbs.transact("s", [Delete("k", concurrency=first)])


def test_a_check_without_a_condition_is_a_mistake():
    from holdfast import Check

    with pytest.raises(ValueError, match="no condition"):
        _verbs.transact("s", [Check("k")])


def test_a_put_says_everything():
    arguments = dict(content_type="a/b", ttl=2, tags={"t": "1"}, indexes={"i": "2"}, etag="1", created_by="c", modified_by="m")
    put = _verbs.put("s", "k", b"v", consistency=ConsistencyLevel.Eventual, want_record=True, **arguments).request
    assert (put.store, put.key, put.value, put.content_type, put.ttl_ms) == ("s", "k", b"v", "a/b", 2000)
    assert (dict(put.tags), dict(put.indexes), put.created_by, put.modified_by) == ({"t": "1"}, {"i": "2"}, "c", "m")
    assert put.consistency == pb.CONSISTENCY_EVENTUAL and put.want_record and list(put.when.etags.values) == ["1"]
    item = _verbs.batch_write("s", [Put("k", b"v", **arguments)]).request.items[0]
    for name in ("value", "content_type", "ttl_ms", "tags", "indexes", "created_by", "modified_by"):
        assert getattr(item.put, name) == getattr(put, name), name
    assert item.when == put.when


def test_a_record_reads_as_text_json_and_time_left():
    record = Record("k", b'{"a":"\xc3\xbc"}', expires=datetime.now(timezone.utc) + timedelta(hours=1))
    assert record.json() == {"a": "ü"} and record.text == '{"a":"ü"}'
    assert timedelta(minutes=59) < record.ttl <= timedelta(hours=1)
    assert Record("k").ttl is None and Record("k", expires=datetime(2020, 1, 1, tzinfo=timezone.utc)).ttl == timedelta(0)
    with pytest.raises(AttributeError):
        record.key = "other"
    assert Written("k", "1").created is None


def test_errors_can_be_passed_to_another_process():
    error = PreconditionFailed("moved", grpc.StatusCode.FAILED_PRECONDITION, "PRECONDITION_FAILED", '"7"', 2)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is PreconditionFailed and copy.__dict__ == error.__dict__ and str(copy) == "PRECONDITION_FAILED: moved"
    assert copy.status == 412
