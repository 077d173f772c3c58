"""A home with two nodes for each test."""

from __future__ import annotations

import pytest
from tests.unit.control.containers.homes import Home


@pytest.fixture
def home(tmp_path):
    """Open, with nodes na and nb of 4 processors and 4 GiB; what must hold is checked at the end."""
    with Home(tmp_path) as found:
        yield found
        if found.engine is not None:
            found.check()
