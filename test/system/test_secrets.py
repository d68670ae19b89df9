"""Secret stores: for components that refer to them, and through Dapr's secrets API with the scopes of a Configuration."""
import grpc
import pytest
import requests
from dapr.clients import DaprClient

from conftest import VAULT, Sidecar

COMPONENTS = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: orders}}
spec:
  type: state.sqlite
  version: v1
  metadata:
  - name: connectionString
    secretKeyRef: {{name: "sqlite:path"}}
auth: {{secretStore: vault}}
""" + VAULT + """---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{name: variables}}
spec:
  type: secretstores.local.env
  version: v1
  metadata:
  - {{name: prefix, value: SYSTEM_TEST_}}
"""
CONFIGURATION = """
kind: Configuration
spec:
  secrets:
    scopes:
    - {storeName: vault, deniedSecrets: ["sqlite:path"]}
"""


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    """A sidecar whose SQLite store has its path from the vault, which the API may not give out."""
    directory = tmp_path_factory.mktemp("vault")
    configuration = directory / "configuration.yaml"
    configuration.write_text(CONFIGURATION)
    made = Sidecar(directory, components=COMPONENTS, args=["--config", str(configuration)],
                   env={"SYSTEM_TEST_USER": "me"}, start=False)
    (directory / "state.db.json").write_text(f'{{"sqlite": {{"path": "{made.database}"}}, "port": 5432}}')
    with made:
        made.start()
        yield made


def get(vault, path):
    answer = requests.get(f"{vault.url}/v1.0/secrets/{path}", timeout=10)
    return answer.status_code, answer.json()


def test_a_component_gets_its_secret_although_the_api_may_not_give_it(vault):
    saved = requests.post(vault.url + "/v1.0/state/orders", json=[{"key": "k", "value": 1}], timeout=10)
    assert saved.status_code == 204, saved.text
    assert vault.database.exists()
    status, body = get(vault, "vault/sqlite:path")
    assert status == 403
    assert body == {"errorCode": "ERR_PERMISSION_DENIED",
                    "message": 'access denied by policy to get "sqlite:path" from "vault"'}


def test_secrets_over_http(vault):
    assert get(vault, "vault/port") == (200, {"port": "5432"})
    assert get(vault, "vault/bulk") == (200, {"port": {"port": "5432"}})
    assert get(vault, "variables/USER") == (200, {"USER": "me"})
    assert get(vault, "variables/bulk") == (200, {"USER": {"USER": "me"}})
    assert get(vault, "vault/none")[1]["message"].endswith("secret none not found")
    assert get(vault, "nowhere/k")[0] == 401


def test_secrets_by_the_sdk(vault, monkeypatch):
    monkeypatch.setenv("DAPR_HTTP_PORT", str(vault.http_port))
    with DaprClient(f"127.0.0.1:{vault.grpc_port}") as client:
        assert client.get_secret("vault", "port").secret == {"port": "5432"}
        assert client.get_bulk_secret("variables").secrets == {"USER": {"USER": "me"}}
        with pytest.raises(grpc.RpcError) as denied:
            client.get_secret("vault", "sqlite:path")
        assert denied.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_metadata_lists_secret_stores_first(vault):
    components = requests.get(vault.url + "/v1.0/metadata", timeout=10).json()["components"]
    assert [one["name"] for one in components] == ["vault", "variables", "orders"]
