"""Every operation of both services through boto3, the raw response against the model."""

import pytest

from conformance.calls import ensure_called
from conformance.model import OPERATIONS


@pytest.mark.parametrize(("service", "name"), OPERATIONS, ids=[f"{s}-{n}" for s, n in OPERATIONS])
def test_the_response_is_as_modelled(world, results, service, name):
    ensure_called(world, results, service, name)
    assert not results.responses[service, name]
