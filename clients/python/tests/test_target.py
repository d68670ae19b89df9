"""Where the client looks for the sidecar."""

import pytest

from holdfast import TLS
from holdfast._config import target_of, token_of

CASES = [
    # argument, environment, address, TLS
    (None, {}, "127.0.0.1:50001", False),
    (None, {"DAPR_GRPC_PORT": "5000"}, "127.0.0.1:5000", False),
    (None, {"DAPR_GRPC_PORT": "5000", "DAPR_RUNTIME_HOST": "sidecar"}, "sidecar:5000", False),
    (None, {"DAPR_GRPC_PORT": "5000", "DAPR_GRPC_ENDPOINT": "https://far:443"}, "far:443", True),
    (None, {"DAPR_GRPC_PORT": "5000", "HOLDFAST_GRPC": "unix:/run/app.sock"}, "unix:/run/app.sock", False),
    (None, {"HOLDFAST_GRPC": "", "DAPR_GRPC_PORT": ""}, "127.0.0.1:50001", False),
    ("there:1", {"HOLDFAST_GRPC": "here:1"}, "there:1", False),
    ("4000", {}, "127.0.0.1:4000", False),
    ("http://there:1/", {}, "there:1", False),
    ("https://there:1", {}, "there:1", True),
    ("unix:///run/app.sock", {}, "unix:///run/app.sock", False),
    ("dns:///there:1", {}, "dns:///there:1", False),
]


@pytest.mark.parametrize(("address", "environment", "expected", "has_tls"), CASES)
def test_arguments_come_before_the_environment(address, environment, expected, has_tls):
    target = target_of(address, None, environment)
    assert (target.address, target.tls is not None) == (expected, has_tls)


def test_tls_is_what_was_asked_for():
    ours = TLS(ca=b"pem", server_name="sidecar")
    assert target_of("https://a:1", ours, {}).tls is ours and target_of("a:1", True, {}).tls == TLS()
    assert ("grpc.ssl_target_name_override", "sidecar") in target_of("a:1", ours, {}).options()
    assert target_of("a:1", False, {}).tls is None


def test_the_token_comes_from_the_environment_too():
    assert token_of(None, {"DAPR_API_TOKEN": "s"}) == "s" and token_of("mine", {"DAPR_API_TOKEN": "s"}) == "mine"
    assert token_of(None, {}) is None and token_of(None, {"DAPR_API_TOKEN": ""}) is None
