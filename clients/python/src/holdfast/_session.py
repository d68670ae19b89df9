"""How far a session has come: the tokens that the sidecar told, each opaque, of which the next call sends all.

The answer to a call says in one token what those said that it was sent with, and what it has seen itself. So calls that
follow each other leave one, calls in flight at once one each, and the call after those makes one of them again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

TOKENS_MAX = 64
BYTES_MAX = 8 * 1024  # of all tokens; one has at most 2 KiB and mostly 40 bytes, and the sidecar takes 64 KiB of metadata


@dataclass(frozen=True)
class Sent:
    """The tokens that one call was sent with."""

    tokens: tuple[str, ...]
    era: int

    @property
    def text(self) -> str:
        return ",".join(self.tokens)


class Session:
    """Any thread may use it.

    Where more tokens come together than are kept, all are let go: a call without any is served where everything is, and
    its own token says as much as those did. Calls that were begun before say less, as do readings of a copy that may be
    behind. When one of them tells a token, that is let go as well, with what there is by then, and so on until no such
    call is under way: nothing that was promised is broken meanwhile, only copies are not read.
    """

    def __init__(self, token: str | None = None) -> None:
        self._lock = threading.Lock()
        self._tokens = tuple(part.strip() for part in (token or "").split(",") if part.strip())
        self._era = 0  # how often tokens were let go

    @property
    def token(self) -> str | None:
        """All of it, as it is sent; None: nothing is known."""
        return self.begin().text or None

    def begin(self) -> Sent:
        """What a call is sent with now; end() takes it back with the token of the answer."""
        with self._lock:
            return Sent(self._tokens, self._era)

    def end(self, sent: Sent, told: str | None, is_complete: bool) -> None:
        """`is_complete`: sent without a token, the call was served where everything is."""
        if not told:
            return
        with self._lock:
            self._tokens = (*(token for token in self._tokens if token not in sent.tokens and token != told), told)
            is_too_much = len(self._tokens) > TOKENS_MAX or sum(map(len, self._tokens)) > BYTES_MAX
            if is_too_much or sent.era != self._era or (self._era > 0 and not is_complete):
                self._tokens = ()
                self._era += 1
