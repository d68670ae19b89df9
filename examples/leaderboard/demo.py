"""An evening's game: twelve players score, two of them the same."""

import os

import requests

BASE = f"http://127.0.0.1:{os.environ.get('APP_PORT', '8000')}"
POINTS = {"ann": 120, "ben": 75, "cem": 75, "dora": 310, "eva": 20, "finn": 5, "gus": 64, "hana": 99, "ida": 42, "jo": 8,
          "kai": 77, "lea": 51}

if __name__ == "__main__":
    for player, points in POINTS.items():
        requests.post(f"{BASE}/players/{player}/scores", json={"points": points}).raise_for_status()
    more = requests.post(f"{BASE}/players/eva/scores", json={"points": 400})
    more.raise_for_status()
    print("eva scores again:", more.json())
    for standing in requests.get(f"{BASE}/top").json():
        print(f"{standing['rank']:3}. {standing['player']:6} {standing['score']}")
    print("finn's rank:", requests.get(f"{BASE}/players/finn/rank").json()["rank"])
    print("nobody's rank:", requests.get(f"{BASE}/players/nobody/rank").status_code)
