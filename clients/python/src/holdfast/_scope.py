"""What the blocking and the async client have in common: everything but waiting."""

from __future__ import annotations

import dataclasses
from types import TracebackType

from ._calls import Retry, Settings
from ._config import TLS, Target, target_of, token_of
from ._session import Session


class Scope:
    """Settings of calls, and the session they belong to."""

    def __init__(self, settings: Settings, session: Session) -> None:
        self._settings = settings
        self._session = session

    @property
    def session_token(self) -> str | None:
        """How far these calls have come, as the sidecar told: who passes it to `client.session` elsewhere reads all of it."""
        return self._session.token

    def _settings_for(self, isolation: str | None) -> Settings:
        return self._settings if isolation is None else dataclasses.replace(self._settings, isolation=isolation)


def settings_of(
    address: str | None,
    token: str | None,
    isolation: str | None,
    timeout: float | None,
    tls: TLS | bool | None,
    retry: Retry | None,
) -> tuple[Target, Settings]:
    settings = Settings(timeout=timeout, token=token_of(token), isolation=isolation, retry=retry or Retry())
    return target_of(address, tls), settings


ExcType = type[BaseException] | None
Exc = BaseException | None
Trace = TracebackType | None
