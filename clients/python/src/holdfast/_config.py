"""Where the sidecar is and how to speak to it: arguments first, then the environment, then what a sidecar does unasked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import grpc

DEFAULT_ADDRESS = "127.0.0.1:50001"

# Reconnects start at once and are at most a second apart: a sidecar is on the same machine, and is restarted there.
# Names are resolved to addresses only; no policy for retries is taken from DNS, as what may be repeated is decided here.
# Messages are bounded by the sidecar. A connection that has been silent under a call for half a minute is asked whether it
# is still there, however seldom a watch has something to tell.
CHANNEL_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # of those that gRPC sends by itself, instead of ours
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True)
class TLS:
    """TLS to the sidecar. Certificates and the key are PEM; without `ca` those of the system are believed.

    server_name: the name in the sidecar's certificate, where it is not that of the address.
    """

    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.ca, self.key, self.cert)


@dataclass(frozen=True)
class Target:
    """An address as gRPC takes it, and TLS if that is spoken there."""

    address: str
    tls: TLS | None

    def options(self) -> list[tuple[str, str | int]]:
        options = list(CHANNEL_OPTIONS)
        if self.tls and self.tls.server_name:
            options.append(("grpc.ssl_target_name_override", self.tls.server_name))
        return options


def target_of(address: str | None = None, tls: TLS | bool | None = None, environment: Mapping[str, str] = os.environ) -> Target:
    """HOLDFAST_GRPC and DAPR_GRPC_ENDPOINT are addresses, DAPR_GRPC_PORT a port of DAPR_RUNTIME_HOST (127.0.0.1).

    An address is host:port, a port of this machine, unix:PATH, or either of the first two after https:// or http://.
    """
    address = address or environment.get("HOLDFAST_GRPC") or environment.get("DAPR_GRPC_ENDPOINT")
    if not address:
        host = environment.get("DAPR_RUNTIME_HOST") or DEFAULT_ADDRESS.partition(":")[0]
        address = f"{host}:{environment.get('DAPR_GRPC_PORT') or DEFAULT_ADDRESS.partition(':')[2]}"
    scheme, separator, rest = address.partition("://")
    if separator and scheme in ("http", "https"):
        address = rest.rstrip("/")
        tls = tls or scheme == "https"
    if address.isdecimal():
        address = f"127.0.0.1:{address}"
    if tls is True:
        tls = TLS()
    return Target(address, tls or None)


def token_of(token: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    return token or environment.get("DAPR_API_TOKEN") or None
