"""A todo service: create, list, update, delete, mark as complete, with ETags.

Exercise 1 of the course module ("Todo List with State"), which gives the endpoints and asks for ETags. How it is done:

- Each todo is a record `todo:ID`; `todo:index` is the list of ids. Dapr's API cannot list keys, and its queries are alpha
  and not in every store, so the index is kept by hand: a todo and the index change in one transaction that carries the
  index's etag, and begins again when somebody else changed the index.
- The service hands the record's etag to its clients as `ETag`, and asks for it back in `If-Match` to update or delete: 428
  without, 412 if the todo has changed since, 404 if it has gone. Completing needs no etag from the client: it gives the
  same result whatever happened in between, so the service repeats it.
"""

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import grpc
import uvicorn
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, StateOptions
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, Field

STORE = "statestore"
INDEX = "todo:index"
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


class NewTodo(BaseModel):
    title: str = Field(min_length=1)


class TodoChange(BaseModel):
    title: str = Field(min_length=1)
    done: bool


class Todo(BaseModel):
    id: str
    title: str
    done: bool = False


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with DaprClient() as app.state.dapr:
        make_index(app.state.dapr)
        yield


app = FastAPI(title="Todo Service", lifespan=lifespan)


def client(request: Request) -> DaprClient:
    return request.app.state.dapr


def wanted_etag(if_match: Annotated[str | None, Header()] = None) -> str:
    if if_match is None:
        raise HTTPException(428, "If-Match is needed: the ETag of the todo that this change is based on")
    return if_match.strip().strip('"')


Dapr = Annotated[DaprClient, Depends(client)]
WantedEtag = Annotated[str, Depends(wanted_etag)]


def key_of(todo_id: str) -> str:
    return f"todo:item:{todo_id}"


def make_index(dapr: DaprClient) -> None:
    """The index has to be there for its etag to guard it: an operation of a transaction cannot say "only if absent"."""
    try:
        dapr.save_state(STORE, INDEX, "[]", options=FIRST_WRITE)
    except DaprGrpcError as error:
        if error.code() != grpc.StatusCode.ABORTED:  # it is there already
            raise


def read(dapr: DaprClient, todo_id: str) -> tuple[Todo, str]:
    state = dapr.get_state(STORE, key_of(todo_id))
    if not state.data:
        raise HTTPException(404, "there is no such todo")
    return Todo(**state.json()), state.etag


def check(etag: str, wanted: str) -> None:
    if etag != wanted:
        raise HTTPException(412, "the todo has changed since; read it again")


def answer(response: Response, todo: Todo, etag: str) -> Todo:
    response.headers["ETag"] = f'"{etag}"'
    return todo


def save(dapr: DaprClient, todo: Todo, etag: str) -> bool:
    """False when the todo is no longer the one with this etag."""
    try:
        dapr.save_state(STORE, key_of(todo.id), todo.model_dump_json(), etag, FIRST_WRITE)
        return True
    except DaprGrpcError as error:
        if error.code() == grpc.StatusCode.ABORTED:
            return False
        raise


def change_with_index(dapr: DaprClient, ids: list[str], etag: str, operation: TransactionalStateOperation) -> bool:
    """One change of a todo and the index that goes with it; False when either is no longer what was read."""
    index = TransactionalStateOperation(key=INDEX, data=json.dumps(ids), etag=etag)
    try:
        dapr.execute_state_transaction(STORE, [operation, index])
        return True
    except DaprGrpcError as error:
        if "etag mismatch" in error.details():  # the status is INTERNAL for every failed transaction
            return False
        raise


@app.post("/todos", status_code=201)
def create(new: NewTodo, dapr: Dapr, response: Response) -> Todo:
    todo = Todo(id=str(uuid.uuid4()), title=new.title)
    operation = TransactionalStateOperation(key=key_of(todo.id), data=todo.model_dump_json())
    created = False
    while not created:
        index = dapr.get_state(STORE, INDEX)
        created = change_with_index(dapr, [*index.json(), todo.id], index.etag, operation)
    response.headers["Location"] = f"/todos/{todo.id}"
    return answer(response, *read(dapr, todo.id))


@app.get("/todos")
def list_todos(dapr: Dapr) -> list[Todo]:
    ids = dapr.get_state(STORE, INDEX).json()
    if not ids:
        return []
    items = dapr.get_bulk_state(STORE, [key_of(todo_id) for todo_id in ids], parallelism=10).items
    # One that was deleted after the index was read has no data.
    return [Todo(**item.json()) for item in items if item.data]


@app.get("/todos/{todo_id}")
def get(todo_id: str, dapr: Dapr, response: Response) -> Todo:
    return answer(response, *read(dapr, todo_id))


@app.put("/todos/{todo_id}")
def update(todo_id: str, change: TodoChange, wanted: WantedEtag, dapr: Dapr, response: Response) -> Todo:
    _, etag = read(dapr, todo_id)
    check(etag, wanted)
    if not save(dapr, Todo(id=todo_id, **change.model_dump()), wanted):
        raise HTTPException(412, "the todo has changed since; read it again")
    return answer(response, *read(dapr, todo_id))


@app.post("/todos/{todo_id}/complete")
def complete(todo_id: str, dapr: Dapr, response: Response) -> Todo:
    while True:
        todo, etag = read(dapr, todo_id)
        if todo.done or save(dapr, todo.model_copy(update={"done": True}), etag):
            return answer(response, *read(dapr, todo_id))


@app.delete("/todos/{todo_id}", status_code=204)
def delete(todo_id: str, wanted: WantedEtag, dapr: Dapr) -> None:
    operation = TransactionalStateOperation(
        key=key_of(todo_id), etag=wanted, operation_type=TransactionOperationType.delete
    )
    deleted = False
    while not deleted:
        index = dapr.get_state(STORE, INDEX)
        # A transaction does not say whose etag was the wrong one: if it was the todo's, this answers 404 or 412.
        _, etag = read(dapr, todo_id)
        check(etag, wanted)
        deleted = change_with_index(dapr, [i for i in index.json() if i != todo_id], index.etag, operation)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("APP_PORT", "8000")), log_level="warning")
