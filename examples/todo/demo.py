"""A day's todos: made, changed by two people at once, completed, deleted, listed."""

import os

import requests

BASE = f"http://127.0.0.1:{os.environ.get('APP_PORT', '8000')}/todos"


def show(what: str, response: requests.Response) -> requests.Response:
    print(f"{what}: {response.status_code} {response.text}")
    return response


if __name__ == "__main__":
    milk = show("create", requests.post(BASE, json={"title": "Buy milk"}))
    bread = show("create", requests.post(BASE, json={"title": "Bake bread"}))
    milk_url, seen = f"{BASE}/{milk.json()['id']}", {"If-Match": milk.headers["ETag"]}
    show("update", requests.put(milk_url, json={"title": "Buy oat milk", "done": False}, headers=seen))
    show("update by someone who saw the old one", requests.put(milk_url, json={"title": "Buy butter", "done": False}, headers=seen))
    show("complete", requests.post(f"{milk_url}/complete"))
    show("delete", requests.delete(f"{BASE}/{bread.json()['id']}", headers={"If-Match": bread.headers["ETag"]}))
    show("list", requests.get(BASE))
