"""Signed requests past boto3's own checks, over one connection."""

import dataclasses
import http.client
import json
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REQUEST_LIMIT_S = 20


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def error(self):
        return self.headers.get("x-amzn-errortype")

    @property
    def document(self):
        return json.loads(self.body) if self.body else {}


class Wire:
    """Sends what it is told to, valid or not."""

    def __init__(self, endpoint, access_key="PROSCENIUMDEV", secret="proscenium-development-secret"):
        self._host = endpoint.removeprefix("http://")
        self._auth = SigV4Auth(Credentials(access_key, secret), "ivs", "us-east-1")
        self._connection = http.client.HTTPConnection(self._host, timeout=REQUEST_LIMIT_S)

    def call(self, operation, body):
        """One operation; members that the model puts into path or query go there."""
        method, path = operation.http["method"], operation.http["requestUri"]
        body = dict(body) if isinstance(body, dict) else body
        query = ""
        members = operation.input_shape.members
        for name, shape in members.items():
            place = shape.serialization.get("location")
            if place == "uri":
                path = path.replace("{" + name + "}", urllib.parse.quote(body.pop(name), safe=""))
            elif place == "querystring":
                values = body.pop(name, [])
                query = "?" + "&".join(f"{name}={urllib.parse.quote(v, safe='')}" for v in values)
        data = b"" if method in ("GET", "DELETE") else json.dumps(body).encode()
        return self.send(method, path + query.rstrip("?"), data)

    def send(self, method, path, data):
        request = AWSRequest(method, f"http://{self._host}{path}", data=data,
                             headers={"Content-Type": "application/json"})
        split = urllib.parse.urlsplit(request.url)
        request.url = urllib.parse.urlunsplit(split._replace(query=""))
        request.params = urllib.parse.parse_qsl(split.query, keep_blank_values=True) if split.query else {}
        self._auth.add_auth(request)
        self._connection.request(method, path, body=data, headers=dict(request.headers.items()))
        response = self._connection.getresponse()
        body = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

    def close(self):
        self._connection.close()
