"""A shopping cart service with checkout, in FastAPI.

Follows "Complete Example: Shopping Cart" of the course module: the same four calls and the same keys. Changed, to the
names of dapr 1.19:

- `StateOptions(metadata={"ttlInSeconds": ...})` does not exist; the TTL is `state_metadata` of `save_state`.
- `execute_transaction` with `TransactionOperationType(...)` around a `StateItem` is `execute_state_transaction` with
  `TransactionalStateOperation`.
- `state.json()` is parsed already.

and so that nothing is lost:

- Two items added at once were one: the module reads the cart and writes it back without its etag. Here the write carries
  the etag (or creates the cart, if there was none) and begins again when somebody was faster.
- Checkout deletes the cart with the etag of the cart it counted, so an item added in between is not swept away unpaid.
- The order id is a UUID. `hash()` of a text differs from process to process, and the module's answer named an id that was
  not the order's key.
- Prices are added as decimals. A quantity is positive.
- One client is made when the service starts, not one for each request: a client asks for the sidecar's health first.
"""

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import grpc
import uvicorn
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, StateOptions
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

STORE = "statestore"
CART_TTL = {"ttlInSeconds": "86400"}
FIRST_WRITE = StateOptions(concurrency=Concurrency.first_write)


class CartItem(BaseModel):
    product_id: str
    name: str
    price: float = Field(ge=0)
    quantity: int = Field(gt=0)


class Cart(BaseModel):
    items: list[CartItem]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with DaprClient() as app.state.dapr:
        yield


app = FastAPI(title="Shopping Cart Service", lifespan=lifespan)


def key_of(user_id: str) -> str:
    return f"cart:{user_id}"


def read_cart(dapr: DaprClient, user_id: str) -> tuple[list[dict], str | None]:
    """The items, and the etag they were read with; None without a cart."""
    state = dapr.get_state(STORE, key_of(user_id))
    return (state.json(), state.etag) if state.data else ([], None)


def add(cart: list[dict], item: CartItem) -> None:
    for cart_item in cart:
        if cart_item["product_id"] == item.product_id:
            cart_item["quantity"] += item.quantity
            return
    cart.append(item.model_dump())


def total_of(cart: list[dict]) -> float:
    return float(sum(Decimal(str(item["price"])) * item["quantity"] for item in cart))


@app.get("/cart/{user_id}")
def get_cart(user_id: str, request: Request) -> Cart:
    cart, _ = read_cart(request.app.state.dapr, user_id)
    return Cart(items=[CartItem(**item) for item in cart])


@app.post("/cart/{user_id}/add")
def add_to_cart(user_id: str, item: CartItem, request: Request) -> dict:
    dapr = request.app.state.dapr
    while True:
        cart, etag = read_cart(dapr, user_id)
        add(cart, item)
        try:
            # First-write with an etag: if it is still the one. Without: if there is still no cart.
            dapr.save_state(STORE, key_of(user_id), json.dumps(cart), etag, FIRST_WRITE, state_metadata=CART_TTL)
            return {"message": "Item added", "cart": cart}
        except DaprGrpcError as error:
            if error.code() != grpc.StatusCode.ABORTED:
                raise


@app.delete("/cart/{user_id}")
def clear_cart(user_id: str, request: Request) -> dict:
    request.app.state.dapr.delete_state(STORE, key_of(user_id))
    return {"message": "Cart cleared"}


@app.post("/cart/{user_id}/checkout")
def checkout(user_id: str, request: Request) -> dict:
    dapr = request.app.state.dapr
    while True:
        cart, etag = read_cart(dapr, user_id)
        if not cart:
            raise HTTPException(status_code=404, detail="Cart is empty")
        total = total_of(cart)
        order_id = f"order:{user_id}:{uuid.uuid4()}"
        order = {"user_id": user_id, "items": cart, "total": total, "status": "pending"}
        operations = [
            TransactionalStateOperation(key=order_id, data=json.dumps(order)),
            TransactionalStateOperation(
                key=key_of(user_id), etag=etag, operation_type=TransactionOperationType.delete
            ),
        ]
        try:
            dapr.execute_state_transaction(STORE, operations)
            return {"message": "Order placed", "order_id": order_id, "total": total}
        except DaprGrpcError as error:
            # A failed transaction is INTERNAL whatever the reason; the text tells that the cart has changed.
            if "etag mismatch" not in error.details():
                raise


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("APP_PORT", "8000")), log_level="warning")
