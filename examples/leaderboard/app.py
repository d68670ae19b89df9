"""A leaderboard: add a score, top ten, a player's rank; scores last for 24 hours.

Exercise 2 of the course module ("Leaderboard"). How it is done:

- `score:PLAYER` is a player's record, with a TTL of 24 hours that starts anew with each score. `leaderboard` holds every
  player's points, so that the top and a rank are one read. Both change in one transaction that carries their etags and
  begins again when somebody else scored: the board never differs from the records.
- The board says until when each entry counts, for an entry has no TTL of its own. Those whose time is up are left out when
  it is read and dropped when it is written.
- Adding a score adds points to the player's total. A rank is 1 and the number of players with more points, so players
  with equal points share a rank and the next one is skipped: 1, 2, 2, 4. Within a rank names are in order.
"""

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import grpc
import uvicorn
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation
from dapr.clients.grpc._state import Concurrency, StateOptions
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

STORE = "statestore"
BOARD = "leaderboard"
TTL_SECONDS = int(os.environ.get("SCORE_TTL_SECONDS", "86400"))
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


class NewScore(BaseModel):
    points: int = Field(gt=0)


class Standing(BaseModel):
    rank: int
    player: str
    score: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with DaprClient() as app.state.dapr:
        yield


app = FastAPI(title="Leaderboard", lifespan=lifespan)


def client(request: Request) -> DaprClient:
    return request.app.state.dapr


Dapr = Annotated[DaprClient, Depends(client)]
Board = dict[str, dict]  # player: {"score": points, "until": seconds since 1970}


def key_of(player: str) -> str:
    return f"score:{player}"


def create(dapr: DaprClient, key: str, value: dict, metadata: dict[str, str]) -> None:
    """Makes the record unless it is there: only a record with an etag can be guarded in a transaction."""
    try:
        dapr.save_state(STORE, key, json.dumps(value), options=FIRST_WRITE, state_metadata=metadata)
    except DaprGrpcError as error:
        if error.code() != grpc.StatusCode.ABORTED:
            raise


def read(dapr: DaprClient, key: str, empty: dict, metadata: dict[str, str]) -> tuple[dict, str]:
    while True:
        state = dapr.get_state(STORE, key)
        if state.data:
            return state.json(), state.etag
        create(dapr, key, empty, metadata)


def live(board: Board) -> Board:
    now = time.time()
    return {player: entry for player, entry in board.items() if entry["until"] > now}


def standings(dapr: DaprClient) -> list[Standing]:
    state = dapr.get_state(STORE, BOARD)
    entries = live(state.json()) if state.data else {}
    ordered = sorted(entries.items(), key=lambda entry: (-entry[1]["score"], entry[0]))
    result: list[Standing] = []
    for place, (player, entry) in enumerate(ordered, start=1):
        tied = result and result[-1].score == entry["score"]
        result.append(Standing(rank=result[-1].rank if tied else place, player=player, score=entry["score"]))
    return result


def try_to_add(dapr: DaprClient, player: str, points: int) -> int | None:
    """The new total; None if somebody else scored between the reads and the write."""
    ttl = {"ttlInSeconds": str(TTL_SECONDS)}
    record, record_etag = read(dapr, key_of(player), {"player": player, "score": 0}, ttl)
    board, board_etag = read(dapr, BOARD, {}, {})
    total = record["score"] + points
    entries = live(board) | {player: {"score": total, "until": time.time() + TTL_SECONDS}}
    operations = [
        TransactionalStateOperation(
            key=key_of(player), data=json.dumps({"player": player, "score": total}), etag=record_etag, metadata=ttl
        ),
        TransactionalStateOperation(key=BOARD, data=json.dumps(entries), etag=board_etag),
    ]
    try:
        dapr.execute_state_transaction(STORE, operations)
        return total
    except DaprGrpcError as error:
        if "etag mismatch" in error.details():  # the status is INTERNAL for every failed transaction
            return None
        raise


@app.post("/players/{player}/scores", status_code=201)
def add_score(player: str, score: NewScore, dapr: Dapr) -> dict:
    total = None
    while total is None:
        total = try_to_add(dapr, player, score.points)
    return {"player": player, "score": total}


@app.get("/top")
def top(dapr: Dapr) -> list[Standing]:
    return standings(dapr)[:10]


@app.get("/players/{player}/rank")
def rank(player: str, dapr: Dapr) -> Standing:
    for standing in standings(dapr):
        if standing.player == player:
            return standing
    raise HTTPException(404, "this player has no score")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("APP_PORT", "8000")), log_level="warning")
