import requests
import json
# This method saves the state and returns false if failed to save state
def save_state(data):
    try:
        store_name = "redis-store" # name of the state store as specified in state store component yaml file
        dapr_state_url = "http://localhost:3500/v1.0/state/{}".format(store_name)
        response = requests.post(dapr_state_url, json=data)
        if response.status_code == 204:
            return True
    except:
        return False
    return False
# This method gets the state and returns the response, with the ETag in the header -->
def get_state(key):
    response = requests.get("http://localhost:3500/v1.0/state/redis-store/{}".format(key), headers={"concurrency":"first-write"})
    return response
# Exit when save state is successful. success will be False if there's an ETag mismatch -->
success = False
while success != True:
    response = get_state("key1")
    etag = response.headers['ETag']
    newState = '[{{ "key": "key1", "value": "New Data", "etag": "{}", "options": {{ "concurrency": "first-write" }}}}]'.format(etag)
    success = save_state(newState)
