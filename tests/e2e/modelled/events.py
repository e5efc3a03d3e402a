"""Reads the event stream of one account."""

import http.client
import json
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from modelled.fixture import SECRET

READ_LIMIT_S = 20


def read_events(endpoint, account, enough, after=0):
    """(number, envelope) of the events after that number, until `enough` of them says so; at most READ_LIMIT_S."""
    request = AWSRequest("GET", f"{endpoint}/events", headers={
        "Accept": "text/event-stream", "Last-Event-ID": str(after)})
    SigV4Auth(Credentials(f"AKIATEST{account}", SECRET), "ivs", "us-east-1").add_auth(request)
    deadline = time.monotonic() + READ_LIMIT_S
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=READ_LIMIT_S)
    try:
        connection.request("GET", "/events", headers=dict(request.headers.items()))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        found, number = [], None
        while not enough(found):
            assert time.monotonic() < deadline, f"not enough within {READ_LIMIT_S} s: {found}"
            line = response.readline().decode().rstrip("\n")
            if line.startswith("id:"):
                number = int(line.removeprefix("id:"))
            elif line.startswith("data:"):
                found.append((number, json.loads(line.removeprefix("data:"))))
        return found
    finally:
        connection.close()
