"""Orders against a stock, with Holdfast's own Python client: nothing is sold twice, and nobody waits for a lock.

Shows what Dapr's API has no words for: conditions without an etag, changes in place, transactions that check what they do
not change, tags, listing, and errors that say what to do. The buyers run at once, with the async client; it has the same
names as the blocking one.
"""

import asyncio
import sys
from datetime import timedelta

import holdfast
import holdfast.aio
from holdfast import Check, Put

STORE = "statestore"


def open_shop(store: holdfast.Store) -> None:
    store.put("shop", {"open": True})
    for article, count in {"pen": 5, "ink": 3}.items():
        try:
            store.put(f"stock/{article}", count, if_absent=True)
        except holdfast.PreconditionFailed:
            print(f"there is stock of {article} already")


async def order(store: holdfast.aio.Store, buyer: str, article: str) -> str:
    """Takes one from the stock and writes the order, or neither, and only while the shop is open. Repeats conflicts."""
    while True:
        shop, stock = await asyncio.gather(store.get("shop"), store.get(f"stock/{article}"))
        if shop is None or not shop.json()["open"]:
            return "closed"
        if stock is None or stock.json() == 0:
            return "sold out"
        number = (await store.increment("orders/last")).json()
        try:
            await store.transact(
                [
                    Check("shop", etag=shop.etag),
                    Put(f"stock/{article}", stock.json() - 1, etag=stock.etag),
                    Put(
                        f"orders/{number:04}",
                        {"buyer": buyer, "article": article},
                        if_absent=True,
                        tags={"article": article},
                        ttl=timedelta(days=30),
                    ),
                ]
            )
            return f"order {number:04}"
        except holdfast.PreconditionFailed:
            continue  # somebody else was served: read again


async def sell() -> None:
    async with holdfast.aio.Client() as client:
        store = client.store(STORE)
        buyers = [("ann", "pen"), ("ben", "pen"), ("cem", "ink"), ("dora", "ink"), ("eva", "ink"), ("finn", "ink"), ("gus", "pen")]
        for (buyer, article), outcome in zip(buyers, await asyncio.gather(*(order(store, *who) for who in buyers))):
            print(f"{buyer}, {article}: {'served' if outcome.startswith('order') else outcome}")


def main() -> None:
    with holdfast.Client() as client:
        store = client.store(STORE)
        open_shop(store)
        asyncio.run(sell())

        orders = [record for record in store.scan("orders/0", values=True)]
        for article in ("pen", "ink"):
            sold = list(store.scan("orders/0", tags={"article": article}))
            left = store.get(f"stock/{article}").json()
            print(f"{article}: {len(sold)} sold, {left} left")
        if len(orders) != 6 or store.get("stock/ink").json() != 0:
            sys.exit("the stock and the orders do not agree")
        print(f"an order ends in {round(orders[0].ttl / timedelta(days=1))} days")

        try:
            store.increment("stock/ink", -1, min=0)
        except holdfast.PreconditionFailed as refused:
            print("one ink less:", refused.message)
        print("deleted", store.delete_prefix("orders/").deleted, "records of orders")


if __name__ == "__main__":
    main()
