"""Every rule of every input member, from both sides, past the SDK's own checks."""

import collections

import pytest

from conformance.constraints import Generator
from conformance.inputs import BESIDE, KNOWN, MADE, base_input
from conformance.model import OPERATIONS, operation

FAILURES_SHOWN_MAX = 12


@pytest.mark.parametrize(("service", "name"), OPERATIONS, ids=[f"{s}-{n}" for s, n in OPERATIONS])
def test_every_rule_is_kept_from_both_sides(world, wire, results, service, name):
    base, is_real = base_input(service, name, world)
    counts, failures = collections.defaultdict(lambda: [0, 0]), []
    for case in Generator(service, name, base, KNOWN[service], BESIDE.get(name)).cases():
        answer = wire.call(operation(service, name), case.body)
        problem = inside_problem(service, name, case, answer, is_real) if case.inside else outside_problem(case, answer)
        delete_what_was_made(wire, service, name, case, answer)
        counts[case.rule][1] += 1
        if problem:
            failures.append(f"{case}: {problem}")
        else:
            counts[case.rule][0] += 1
    results.cases[service, name] = {rule: tuple(both) for rule, both in counts.items()}
    assert not failures, f"{len(failures)} failed:\n" + "\n".join(failures[:FAILURES_SHOWN_MAX])


def inside_problem(service, name, case, answer, is_real):
    """A valid value is taken; where it refers to something, the answer may be another of the operation's errors. An
    operation that cannot answer ResourceNotFoundException says in a ValidationException what does not exist."""
    if answer.status < 300:
        return None
    modelled = {error.name for error in operation(service, name).error_shapes} - {"ValidationException"}
    if case.refers and "ResourceNotFoundException" not in modelled and "that exists" in answer.document["message"]:
        return None
    if answer.error in modelled and (case.refers or not is_real or answer.error == "ServiceQuotaExceededException"):
        return None
    return f"{answer.status} {answer.error}: {answer.document.get('message')}"


def outside_problem(case, answer):
    """An invalid value is refused, and the message says what, which value and which rule."""
    if (answer.status, answer.error) != (400, "ValidationException"):
        return f"{answer.status} {answer.error}, must be 400 ValidationException"
    message = answer.document.get("message", "")
    if message != answer.document.get("exceptionMessage"):
        return f"message and exceptionMessage differ: {answer.document}"
    missing = [f"{what} {text!r}" for what, text in (
        ("member", case.named), ("value", case.given), ("rule", case.rule_text)) if text not in message]
    return f"{message!r} does not name {' and '.join(missing)}" if missing else None


def delete_what_was_made(wire, service, name, case, answer):
    if answer.status >= 300:
        return
    if name in MADE:
        member, delete = MADE[name]
        undo = wire.call(operation(service, delete), {"arn": answer.document[member]["arn"]})
    elif name == "TagResource" and case.body["tags"]:
        keys = {"resourceArn": case.body["resourceArn"], "tagKeys": list(case.body["tags"])}
        undo = wire.call(operation(service, "UntagResource"), keys)
    else:
        return
    assert undo.status < 300, f"{case}: left behind, {undo.status} {undo.body!r}"
