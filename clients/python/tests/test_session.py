"""Sessions of calls that follow each other and of calls in flight at once, against a sidecar that is played here."""

import random
import sys
import threading

import pytest

from holdfast._session import BYTES_MAX, TOKENS_MAX, Session


def test_one_token_after_another():
    session = Session()
    assert session.token is None and session.begin().text == ""
    for told in ("one", "two", None, "three"):
        session.end(session.begin(), told, is_complete=True)
    assert session.token == "three"


def test_calls_at_once_leave_one_each_and_the_next_makes_one_of_them():
    session = Session("zero")
    calls = [session.begin() for _ in range(3)]
    assert {call.text for call in calls} == {"zero"}
    session.end(calls[0], "a", is_complete=True)
    late = session.begin()
    session.end(calls[2], "c", is_complete=True)
    session.end(calls[1], None, is_complete=True)
    assert session.token == "a,c"
    session.end(late, "d", is_complete=True)
    assert session.token == "c,d", "the late call was sent with a, and knows nothing of c"
    session.end(session.begin(), "e", is_complete=True)
    assert session.token == "e"


def test_a_token_that_was_handed_over_may_be_several():
    assert Session(" a, b,,").token == "a,b"
    assert Session("").token is None


@pytest.mark.parametrize(("count", "size"), [(TOKENS_MAX, 3), (BYTES_MAX // 2000, 2000)])
def test_there_is_a_bound(count, size):
    session = Session()
    calls = [session.begin() for _ in range(count + 1)]
    for number, call in enumerate(calls[:-1]):
        session.end(call, f"{number:0{size}}", is_complete=True)
    assert len(session.begin().tokens) == count
    early = session.begin()
    session.end(calls[-1], "x" * size, is_complete=True)
    assert session.token is None, "all are let go"
    session.end(early, "of before", is_complete=True)
    assert session.token is None
    session.end(session.begin(), "behind", is_complete=False)
    assert session.token is None
    session.end(session.begin(), "anew", is_complete=True)
    assert session.token == "anew"


class Sidecar:
    """In front of a primary that has come to `offset`, and of copies behind it. A token is a text of a number."""

    def __init__(self, chance):
        self.chance, self.offset = chance, 0

    def serve(self, kind, sent):
        """The number that was written or seen, and end()'s arguments."""
        known = max(map(int, sent.tokens), default=0)
        if kind == "write":
            self.offset += 1
            return self.offset, str(self.offset), True
        if kind == "eventual":
            seen = self.chance.randint(0, self.offset)
            return seen, str(max(seen, known)), False
        # At session: a copy that has come as far as the tokens say, or the primary where there are none.
        seen = self.chance.randint(known, self.offset) if sent.tokens else self.offset
        return seen, str(seen) if sent.text != str(seen) else None, True


@pytest.mark.parametrize("at_once", [1, 3, TOKENS_MAX, 6 * TOKENS_MAX])
@pytest.mark.parametrize("seed", range(5))
def test_a_reading_sees_all_that_had_ended_when_it_began(at_once, seed):
    """Rounds of calls that are begun together, served and ended in any order, and of which some take several rounds."""
    chance = random.Random(seed)
    session, sidecar = Session(), Sidecar(chance)
    begun, served, reached, most = [], [], 0, 0
    for _ in range(200):
        for _ in range(chance.randint(1, at_once) - len(begun) - len(served)):
            begun.append((chance.choice(["write", "write", "read", "eventual"]), session.begin(), reached))
        share = chance.choice([0.5, 1.0])
        for _ in range(round(share * len(begun))):
            kind, sent, before = begun.pop(chance.randrange(len(begun)))
            number, told, is_complete = sidecar.serve(kind, sent)
            assert kind != "read" or number >= before
            served.append((number, sent, told, is_complete))
        for _ in range(round(share * len(served))):
            number, sent, told, is_complete = served.pop(chance.randrange(len(served)))
            session.end(sent, told, is_complete)
            reached = max(reached, number)
            most = max(most, len(session.begin().tokens))
    assert most <= TOKENS_MAX and (most > 1 or at_once == 1)
    assert (session._era > 0) == (at_once > TOKENS_MAX)


def test_threads_lose_no_token():
    """Each thread has its say in turn: of eight calls that were begun before any ended, eight tokens are there."""
    session, barrier, counts = Session(), threading.Barrier(8), []

    def calls(number):
        for turn in range(200):
            barrier.wait(20)
            sent = session.begin()
            barrier.wait(20)
            session.end(sent, f"{turn}-{number}", is_complete=True)
            barrier.wait(20)
            counts.append(len(session.begin().tokens))

    threads = [threading.Thread(target=calls, args=(number,)) for number in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert counts == [8] * 1600
