"""Every operation of both services through boto3, the raw response against the model."""

import pytest
from botocore import xform_name

from conformance.inputs import call_input
from conformance.model import OPERATIONS


@pytest.mark.parametrize(("service", "name"), OPERATIONS, ids=[f"{s}-{n}" for s, n in OPERATIONS])
def test_the_response_is_as_modelled(world, results, service, name):
    call = getattr(world.client(service), xform_name(name))
    call(**call_input(service, name, world))
    results.called.add((service, name))
    assert not results.responses[service, name]
