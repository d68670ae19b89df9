"""drive.py LISTING [KEY]: runs a listing as a program.

The how-to's listings have the port 3500 in them; what they send there goes to the one in DAPR_HTTP_PORT, as tests take
ports that are free. With a KEY somebody else changes that record right after the listing has read it.
"""

import os
import runpy
import sys

import requests
from holdfast import seed

ELSEWHERE = {"balance": 1}


def redirect() -> None:
    send = requests.Session.send
    there = f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/"

    def send_there(session, request, **arguments):
        request.url = request.url.replace("http://localhost:3500/", there)
        return send(session, request, **arguments)

    requests.Session.send = send_there


def interfere(lost: str) -> None:
    get_state = seed.DaprClient.get_state

    def get_and_lose(client, store_name, key):
        state = get_state(client, store_name, key)
        if key == lost:
            client._client.store(store_name).put(key, ELSEWHERE)
        return state

    seed.DaprClient.get_state = get_and_lose


if __name__ == "__main__":
    redirect()
    if len(sys.argv) > 2:
        interfere(sys.argv[2])
    runpy.run_path(sys.argv[1], run_name="__main__")
