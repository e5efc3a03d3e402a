"""botocore's models of the two services, and the smallest valid value of a shape."""

import botocore.session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conformance.patterns import matching

SERVICES = ("ivs-realtime", "ivs")

_session = botocore.session.get_session()
MODELS = {service: _session.get_service_model(service) for service in SERVICES}

# (service, operation) of all operations, in the order of the tables.
OPERATIONS = [(service, name) for service in SERVICES for name in sorted(MODELS[service].operation_names)]


def operation(service, name):
    return MODELS[service].operation_model(name)


def bounds(shape):
    """The smallest and largest length, size or number; None where there is no bound."""
    return shape.metadata.get("min"), shape.metadata.get("max")


def pattern_of(shape):
    return shape.metadata.get("pattern")


def choices_of(shape):
    return shape.metadata.get("enum") or []


def public_key():
    """A fresh P-384 public key as PEM: no key can be imported twice."""
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


# The pattern of `ResourceArn` is malformed.
REAL_RESOURCE = "arn:aws:ivs:[a-z0-9-]+:[0-9]+:stage/[a-zA-Z0-9-]+"
KEY_SHAPES = ("PublicKeyMaterial", "PlaybackPublicKeyMaterial")


def text_of(shape, length=None, seed=0):
    """A valid string, of that many characters where asked for; different seeds give different texts."""
    if shape.name in KEY_SHAPES:
        return public_key()
    pattern = REAL_RESOURCE if shape.name == "ResourceArn" else pattern_of(shape)
    low, _ = bounds(shape)
    if pattern:
        text = matching(pattern, length, low or 0, seed)
        own = text.replace(":ivs:a:0:", ":ivs:us-east-1:123456789012:")
        return own if length is None else text
    if length is not None:
        return "x" * length
    return "x" * max(low or 0, 1) + (str(seed) if seed else "")


def sample(shape, seed=0, known=None):
    """The smallest valid value of a shape. `known` has values by shape name, completed where they are structures;
    a tuple has one for each seed."""
    given = (known or {}).get(shape.name)
    if isinstance(given, tuple):
        given = given[seed % len(given)]
    if given is not None and shape.type_name != "structure":
        return given
    kind = shape.type_name
    low, _ = bounds(shape)
    if kind == "string":
        choices = choices_of(shape)
        return choices[seed % len(choices)] if choices else text_of(shape, seed=seed)
    if kind in ("integer", "long", "float"):
        return low if low is not None else 1
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return "2026-01-31T12:00:00Z"
    if kind == "list":
        return [sample(shape.member, i, known) for i in range(low or 0)]
    if kind == "map":
        return {sample(shape.key, i, known): sample(shape.value, 0, known) for i in range(low or 0)}
    assert kind == "structure", kind
    required = {name: sample(shape.members[name], 0, known) for name in shape.required_members}
    return {**required, **(given or {})}
