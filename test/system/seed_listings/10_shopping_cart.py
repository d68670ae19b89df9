from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from typing import List, Optional
from holdfast.seed import DaprClient
import json

app = FastAPI(title="Shopping Cart Service")

class CartItem(BaseModel):
    product_id: str
    name: str
    price: float
    quantity: int

class Cart(BaseModel):
    items: List[CartItem]

@app.get("/cart/{user_id}")
def get_cart(user_id: str):
    with DaprClient() as dapr:
        state = dapr.get_state(store_name="statestore", key=f"cart:{user_id}")

        if not state.data:
            return Cart(items=[])

        return Cart(items=json.loads(state.json()))

@app.post("/cart/{user_id}/add")
def add_to_cart(user_id: str, item: CartItem):
    with DaprClient() as dapr:
        # Get existing cart
        state = dapr.get_state(store_name="statestore", key=f"cart:{user_id}")
        cart = json.loads(state.json()) if state.data else []

        # Check if item already exists
        for cart_item in cart:
            if cart_item["product_id"] == item.product_id:
                cart_item["quantity"] += item.quantity
                break
        else:
            cart.append(item.model_dump())

        # Save with 24 hour TTL
        from holdfast.seed import StateOptions
        options = StateOptions(metadata={"ttlInSeconds": "86400"})

        dapr.save_state(
            store_name="statestore",
            key=f"cart:{user_id}",
            value=json.dumps(cart),
            state_options=options
        )

        return {"message": "Item added", "cart": cart}

@app.delete("/cart/{user_id}")
def clear_cart(user_id: str):
    with DaprClient() as dapr:
        dapr.delete_state(store_name="statestore", key=f"cart:{user_id}")
        return {"message": "Cart cleared"}

@app.post("/cart/{user_id}/checkout")
def checkout(user_id: str):
    with DaprClient() as dapr:
        # Get cart
        state = dapr.get_state(store_name="statestore", key=f"cart:{user_id}")

        if not state.data:
            raise HTTPException(status_code=404, detail="Cart is empty")

        cart = json.loads(state.json())
        total = sum(item["price"] * item["quantity"] for item in cart)

        # Create order using transaction
        from holdfast.seed import TransactionOperationType, StateItem

        operations = [
            TransactionOperationType(
                operation_type="upsert",
                request=StateItem(
                    key=f"order:{user_id}:{hash(json.dumps(cart))}",
                    value=json.dumps({
                        "user_id": user_id,
                        "items": cart,
                        "total": total,
                        "status": "pending"
                    })
                )
            ),
            TransactionOperationType(
                operation_type="delete",
                request=StateItem(key=f"cart:{user_id}")
            )
        ]

        dapr.execute_transaction(store_name="statestore", operations=operations)

        return {"message": "Order placed", "order_id": f"order:{user_id}", "total": total}
