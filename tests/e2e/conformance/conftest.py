"""One server for all of conformance, and what was found on the way."""

import json

import pytest

from conformance.calls import paths_of
from conformance.report import Results
from conformance.shape_check import response_problems
from conformance.wire import Wire
from conformance.world import World
from support.server import Server

# Cases make and delete by the thousand.
CONFIG = ""


@pytest.fixture(scope="package")
def results():
    found = Results()
    yield found
    found.write()


@pytest.fixture(scope="package")
def conforming_server(binary, tmp_path_factory):
    with Server(binary, tmp_path_factory.mktemp("conformance"), config=CONFIG) as server:
        yield server


@pytest.fixture(scope="package")
def world(conforming_server, results, session_client):
    realtime = session_client("ivs-realtime", conforming_server.http)
    ivs = session_client("ivs", conforming_server.http)
    for service, client in (("ivs-realtime", realtime), ("ivs", ivs)):
        client.meta.events.register("before-parse", _watcher(service, results))
    world = World(conforming_server, realtime, ivs, session_client("s3", conforming_server.s3))
    yield world
    world.close()


@pytest.fixture(scope="package")
def wire(conforming_server):
    wire = Wire(conforming_server.http)
    yield wire
    wire.close()


def _watcher(service, results):
    """Looks at every response before boto3 does."""

    def watch(operation_model, response_dict, **_):
        status, body = response_dict["status_code"], response_dict["body"]
        if status < 300:
            problems = response_problems(operation_model, status, dict(response_dict["headers"]), body)
            key = (service, operation_model.name)
            results.responses[key].extend(problems)
            results.seen[key].update(paths_of(json.loads(body or b"{}")))

    return watch
