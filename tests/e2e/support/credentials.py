"""Whatever somebody may show, and how each door of the server is shown it."""

import dataclasses

import requests
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

LIMIT_S = 10


@dataclasses.dataclass(frozen=True)
class Shown:
    """An access key, which signs; or a text, which is shown as it is. Neither is nobody."""

    key: Credentials = None
    text: str = None

    def send(self, method, url, body=b"", headers=None, service="ivs"):
        """Signed with the key, or with the text as bearer token."""
        request = AWSRequest(method, url, data=body, headers=headers or {})
        if self.key:
            signer = S3SigV4Auth if service == "s3" else SigV4Auth
            signer(self.key, service, "us-east-1").add_auth(request)
        elif self.text:
            request.headers["Authorization"] = f"Bearer {self.text}"
        prepared = request.prepare()
        return requests.request(
            method, prepared.url, data=prepared.body, headers=dict(prepared.headers), timeout=LIMIT_S, stream=True)
