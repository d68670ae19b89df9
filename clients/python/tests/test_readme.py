"""The README tells every public name, and its code is Python."""

import ast
import inspect
import pathlib
import re

import pytest

import holdfast
import holdfast.aio
import holdfast.seed

README = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
CODE = " ".join(re.findall(r"`([^`\n]+)`", README))
OWNERS = [holdfast.Client, holdfast.Store, holdfast.seed.DaprClient]
RESULTS = [
    holdfast.Record,
    holdfast.Written,
    holdfast.Deleted,
    holdfast.Page,
    holdfast.Got,
    holdfast.Result,
    holdfast.WatchEvent,
]


@pytest.mark.parametrize("module", [holdfast, holdfast.aio, holdfast.seed], ids=lambda module: module.__name__)
def test_every_public_name_is_listed(module):
    missing = [name for name in module.__all__ if not re.search(rf"\b{name}\b", CODE)]
    assert not missing
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("owner", OWNERS, ids=lambda owner: owner.__name__)
def test_every_method_is_listed_and_explained(owner):
    names = [name for name, _ in inspect.getmembers(owner) if not name.startswith("_")]
    assert names and not [name for name in names if f"{owner.__name__}.{name}" not in CODE]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.__name__)
def test_every_field_is_listed(result):
    row = next(line for line in README.splitlines() if line.startswith(f"| `{result.__name__}` |"))
    assert not [name for name in result.__dataclass_fields__ if f"`{name}`" not in row]


def test_the_status_of_every_error_is_right():
    rows = re.findall(r"^\| `(\w+)`.*?\| (\d{3}) \|", README, re.MULTILINE)
    assert {name: int(status) for name, status in rows} == {
        name: kind.status
        for name, kind in vars(holdfast).items()
        if inspect.isclass(kind) and issubclass(kind, holdfast.HoldfastError) and kind is not holdfast.HoldfastError
    }


def test_both_clients_have_the_same_verbs():
    for blocking, awaited in (
        (holdfast.Store, holdfast.aio.Store),
        (holdfast.Client, holdfast.aio.Client),
        (holdfast.Watch, holdfast.aio.Watch),
    ):
        public = [name for name in dir(blocking) if not name.startswith("_")]
        assert public == [name for name in dir(awaited) if not name.startswith("_")]
    assert holdfast.Store.put.__doc__ == holdfast.aio.Store.put.__doc__


def test_the_code_is_python():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
