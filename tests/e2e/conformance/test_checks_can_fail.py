"""The checks themselves: each finds what it is there for."""

import json

import pytest

from conformance.constraints import Case
from conformance.model import operation
from conformance.shape_check import response_problems
from conformance.test_constraints import inside_problem, outside_problem
from conformance.wire import Answer

ARN = "arn:aws:ivs:us-east-1:123456789012:composition/a"
STAGE = "arn:aws:ivs:us-east-1:123456789012:stage/a"
HEADERS = {"x-amzn-RequestId": "1", "Content-Type": "application/json"}
RIGHT = {"arn": ARN, "stageArn": STAGE, "state": "ACTIVE", "layout": {"grid": {"gridGap": 2}}, "destinations": [
    {"id": "a", "state": "ACTIVE", "configuration": {"name": ""}}], "startTime": "2026-01-31T12:00:00Z"}


def problems(composition, status=200, headers=HEADERS):
    body = json.dumps({"composition": composition}).encode()
    return response_problems(operation("ivs-realtime", "GetComposition"), status, headers, body)


def test_a_right_response_has_no_problem():
    assert problems(RIGHT) == []


@pytest.mark.parametrize(("change", "named"), [
    ({"startTime": 1769860800}, "composition.startTime: 1769860800"),
    ({"startTime": "2026-01-31 12:00"}, "composition.startTime"),
    ({"state": "PAUSED"}, "composition.state: 'PAUSED'"),
    ({"stageArn": "stage/a"}, "composition.stageArn: 'stage/a'"),
    ({"arn": None}, "composition.arn: null"),
    ({"colour": "blue"}, "composition.colour: not in the model"),
    ({"tags": []}, "composition.tags: []"),
    ({"destinations": []}, "composition.destinations: 0"),
    ({"destinations": [{"id": "a", "state": "ACTIVE"}]}, "composition.destinations[0].configuration: missing"),
    ({"layout": {"grid": {"gridGap": -1}}}, "composition.layout.grid.gridGap: -1"),
    ({"layout": {"grid": {"gridGap": "2"}}}, "composition.layout.grid.gridGap: '2'"),
])
def test_a_wrong_response_is_found(change, named):
    [problem] = problems({**RIGHT, **change})
    assert problem.startswith(named)


def test_status_and_headers_are_looked_at():
    assert problems(RIGHT, status=201) == ["status 201, must be 200"]
    assert problems(RIGHT, headers={}) == ["header x-amzn-RequestId is missing", "content-type None"]


def answer(status, error, message):
    document = {"message": message, "exceptionMessage": message}
    return Answer(status, {"x-amzn-errortype": error}, json.dumps(document).encode())


CASE = Case("name", "length", False, {}, "name", "aaa", "128")


@pytest.mark.parametrize("given", [
    answer(200, None, ""),
    answer(404, "ResourceNotFoundException", "`name`: 'aaa' given, must be 0 to 128"),
    answer(400, "ValidationException", "'aaa' given, must be 0 to 128"),
    answer(400, "ValidationException", "`name`: must be 0 to 128"),
    answer(400, "ValidationException", "`name`: 'aaa' given, too long"),
])
def test_a_refusal_must_name_member_value_and_rule(given):
    assert outside_problem(CASE, given)
    assert outside_problem(CASE, answer(400, "ValidationException", "`name`: 'aaa' given, must be 0 to 128")) is None


@pytest.mark.parametrize("given", [
    answer(400, "ValidationException", "no"),
    answer(501, "NotImplementedException", "no"),
    answer(500, "InternalServerException", "no"),
    answer(404, "ResourceNotFoundException", "no"),
])
def test_a_valid_value_must_be_taken(given):
    assert inside_problem("ivs-realtime", "CreateStage", CASE, given, True)
