"""Checks a raw response against the output shape of its operation."""

import json
import re

from conformance.exceptions import IGNORED_PATTERNS, OUTPUT_VALUES
from conformance.model import bounds, choices_of, pattern_of
from conformance.patterns import fits

ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def response_problems(operation, status, headers, body):
    """What the response of a successful call has that the model does not allow."""
    wanted = operation.http.get("responseCode", 200)
    problems = [] if status == wanted else [f"status {status}, must be {wanted}"]
    headers = {name.lower(): value for name, value in headers.items()}
    if "x-amzn-requestid" not in headers:
        problems.append("header x-amzn-RequestId is missing")
    output = operation.output_shape
    if output is None or wanted == 204:
        return problems + ([f"a body of {len(body)} bytes, must be none"] if wanted == 204 and body else [])
    if headers.get("content-type") != "application/json":
        problems.append(f"content-type {headers.get('content-type')!r}")
    document = json.loads(body)
    in_headers = {n: m for n, m in output.members.items() if m.serialization.get("location") == "header"}
    for member in in_headers.values():
        if member.serialization["name"].lower() not in headers:
            problems.append(f"header {member.serialization['name']} is missing")
    in_body = {n: m for n, m in output.members.items() if n not in in_headers}
    problems += _structure(document, in_body, output.required_members, "")
    return problems


def _problems(value, shape, path):
    kind = shape.type_name
    if value is None:
        return [f"{path}: null, must be absent"]
    wrong = _wrong_type(value, kind)
    if wrong:
        return [f"{path}: {value!r}, must be {wrong}"]
    if kind == "structure":
        return _structure(value, shape.members, shape.required_members, path)
    if kind == "list":
        inner = [_problems(item, shape.member, f"{path}[{i}]") for i, item in enumerate(value)]
        return _size(len(value), shape, path) + sum(inner, [])
    if kind == "map":
        inner = [_problems(k, shape.key, f"{path} key") + _problems(v, shape.value, f"{path}.{k}")
                 for k, v in value.items()]
        return _size(len(value), shape, path) + sum(inner, [])
    if kind == "string":
        return _text(value, shape, path)
    if kind in ("integer", "long", "float"):
        return _size(value, shape, path)
    return []


def _wrong_type(value, kind):
    """The name of the wanted type, if this is not it."""
    if kind == "structure" or kind == "map":
        return None if isinstance(value, dict) else "an object"
    if kind == "list":
        return None if isinstance(value, list) else "a list"
    if kind == "string":
        return None if isinstance(value, str) else "a string"
    if kind == "boolean":
        return None if isinstance(value, bool) else "a boolean"
    if kind == "timestamp":
        return None if isinstance(value, str) and ISO_8601.fullmatch(value) else "an ISO 8601 time in UTC"
    if kind in ("integer", "long"):
        return None if isinstance(value, int) and not isinstance(value, bool) else "an integer"
    assert kind == "float", kind
    return None if isinstance(value, (int, float)) and not isinstance(value, bool) else "a number"


def _structure(value, members, required, path):
    wrong = _wrong_type(value, "structure")
    if wrong:
        return [f"{path or 'the body'}: {value!r}, must be {wrong}"]
    problems = []
    by_wire_name = {m.serialization.get("name", n): m for n, m in members.items()}
    for name, inner in value.items():
        where = f"{path}.{name}" if path else name
        if name not in by_wire_name:
            problems.append(f"{where}: not in the model")
        else:
            problems += _problems(inner, by_wire_name[name], where)
    for name in required:
        if name in members and members[name].serialization.get("name", name) not in value:
            problems.append(f"{path + '.' if path else ''}{name}: missing, is required")
    return problems


def _size(number, shape, path):
    low, high = bounds(shape)
    if (low is not None and number < low) or (high is not None and number > high):
        return [f"{path}: {number}, must be {low} to {high}"]
    return []


def _text(value, shape, path):
    if (shape.name, value) in OUTPUT_VALUES:
        return []
    problems = _size(len(value), shape, path)
    pattern = pattern_of(shape)
    if pattern and shape.name not in IGNORED_PATTERNS and not fits(pattern, value):
        problems.append(f"{path}: {value!r}, must match {pattern}")
    choices = choices_of(shape)
    if choices and value not in choices:
        problems.append(f"{path}: {value!r}, must be one of {choices}")
    return problems
