"""The documents that IVS grew by: every operation and every member that they name, input and output.

`founding.json` holds their names: for each document its operations, and for these the paths of their members and the
choices of their enums.
"""

import json
import pathlib

import pytest

from conformance.calls import ensure_called
from conformance.constraints import Generator
from conformance.inputs import BESIDE, KNOWN, base_input
from conformance.model import choices_of, operation
from conformance.test_constraints import outside_problem

DOCUMENTS = json.loads((pathlib.Path(__file__).parent / "founding.json").read_text())
NAMED = [(document, name) for document, operations in DOCUMENTS.items() for name in operations]
# Members of responses that a single call does not show.
UNSEEN = {
    "nextToken": "there is a next page only where there is more; the tests of paging see it",
}
# Members that one response never has: what just starts has no end.
NEVER_IN = {
    "StartComposition": {"composition.endTime", "composition.destinations[].startTime",
                         "composition.destinations[].endTime"},
}
# Since gone from the service.
PAGED_TAGS = ("nextToken", "maxResults")


@pytest.mark.parametrize(("document", "name"), NAMED, ids=[f"{d}-{n}" for d, n in NAMED])
def test_what_the_document_names_is_there(world, wire, results, document, name):
    entry = DOCUMENTS[document][name]
    service = entry["service"]
    ensure_called(world, results, service, name)
    seen = results.seen[service, name]
    wanted = [path for path in entry.get("output", []) if path.split(".")[-1] not in UNSEEN]
    missing = set(wanted) - seen - NEVER_IN.get(name, set())
    assert not missing, f"never in a response: {missing}"
    unknown = [path for path in entry.get("input", []) if not is_known(world, wire, service, name, path)]
    assert not unknown, f"not known as input: {unknown}"
    for path, choices in entry.get("enums", {}).items():
        assert set(choices) <= set(choices_in_model(service, name, path)), path


def is_known(world, wire, service, name, path):
    """A member is known if a wrong value of it is refused by name."""
    if name == "ListTagsForResource" and path in PAGED_TAGS:
        return pages_through_tags(world, wire)
    base, _ = base_input(service, name, world)
    wanted = path.replace("[]", "[0]")
    cases = Generator(service, name, base, KNOWN[service], BESIDE.get(name)).cases()
    case = next(case for case in cases if case.path == wanted and not case.inside)
    return outside_problem(case, wire.call(operation(service, name), case.body)) is None


def pages_through_tags(world, wire):
    """The first SDKs sent paging members with the GET."""
    stage = world.new_stage(tags={"a": "1", "b": "2", "c": "3"})
    path = "/tags/" + stage.replace(":", "%3A").replace("/", "%2F")
    found, token = {}, {}
    for wanted in (2, 1):
        page = wire.send("GET", path, json.dumps({"maxResults": 2, **token}).encode()).document
        assert len(page["tags"]) == wanted
        found |= page["tags"]
        token = {"nextToken": page.get("nextToken")}
    return found == {"a": "1", "b": "2", "c": "3"} and token == {"nextToken": None}


def choices_in_model(service, name, path):
    both = (operation(service, name).input_shape, operation(service, name).output_shape)
    for shape in both:
        for step in path.split("."):
            shape = getattr(shape, "members", {}).get(step.removesuffix("[]"))
            if shape is not None and step.endswith("[]"):
                shape = shape.member
        if shape is not None:
            return choices_of(shape.member if shape.type_name == "list" else shape)
    return []
