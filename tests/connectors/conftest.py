"""Fixtures for tests that speak to another's emulator of a vendor."""

from collections.abc import Iterator

import pytest

from tests.connectors.localstripe import LocalStripe, running


@pytest.fixture(scope="module")
def localstripe() -> Iterator[LocalStripe]:
    """A running localstripe with nothing in it. Elsewhere: `with tests.connectors.localstripe.running()`."""
    with running() as server:
        yield server
