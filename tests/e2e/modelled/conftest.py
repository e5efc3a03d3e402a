"""A server with two accounts for each module."""

import pytest

from modelled.fixture import Accounts


@pytest.fixture(scope="module")
def world(binary, tmp_path_factory):
    world = Accounts(binary, tmp_path_factory.mktemp("modelled"))
    yield world
    world.close()
