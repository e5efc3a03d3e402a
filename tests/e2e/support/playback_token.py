"""Playback tokens as an application signs them: ES384."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class PlaybackKey:
    """A key pair."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP384R1())
        self.public_pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def token(self, channel, life_s=300, **claims):
        """A token for a channel; underscores in names of claims stand for dashes."""
        claims = {f"aws:{name.replace('_', '-')}": value for name, value in claims.items()}
        claims |= {"aws:channel-arn": channel, "exp": int(time.time()) + life_s}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "ES384", "typ": "JWT"}, claims))
        r, s = decode_dss_signature(self.private.sign(signed.encode(), ec.ECDSA(hashes.SHA384())))
        return f"{signed}.{_encoded(r.to_bytes(48, 'big') + s.to_bytes(48, 'big'))}"
