"""A shopper: fills a cart, checks out, and finds the cart empty."""

import os

import requests

BASE = f"http://127.0.0.1:{os.environ.get('APP_PORT', '8000')}/cart/alice"


def show(what: str, response: requests.Response) -> dict:
    response.raise_for_status()
    print(f"{what}: {response.json()}")
    return response.json()


if __name__ == "__main__":
    requests.delete(BASE).raise_for_status()
    pen = {"product_id": "p1", "name": "Pen", "price": 1.1, "quantity": 2}
    show("two pens", requests.post(f"{BASE}/add", json=pen))
    show("one more", requests.post(f"{BASE}/add", json=pen | {"quantity": 1}))
    show("and ink", requests.post(f"{BASE}/add", json={"product_id": "p2", "name": "Ink", "price": 7.25, "quantity": 1}))
    show("checkout", requests.post(f"{BASE}/checkout"))
    show("cart", requests.get(BASE))
    again = requests.post(f"{BASE}/checkout")
    print("checkout again:", again.status_code, again.json()["detail"])
