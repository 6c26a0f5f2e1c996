"""Examples are invented, fit their shape, and are missed where nobody can guess one."""

from typing import Annotated

import pytest
from pydantic import Field, StringConstraints

from connectors.example import ExampleMissing, example_of
from connectors.folder import HERE
from connectors.registry import Registry
from scopes.field import Disclosed, discloses, shape_of
from scopes.minimize import minimize
from scopes.vocabulary import Category
from tests.conformance.test_every_connector import ECHO_ROOT


@pytest.mark.parametrize("optional", [True, False])
def test_an_example_of_every_action_is_taken_whole(optional: bool) -> None:
    for connector in Registry.load([HERE, ECHO_ROOT]).connectors.values():
        for action in connector.actions.values():
            example = example_of(action.shape, optional=optional)
            minimized = minimize(action.shape, example)
            assert minimized.withheld == ()
            assert {path for path, _ in minimized.sent} <= {leaf.path for leaf in action.shape.walk()}
            if optional:
                assert {path for path, _ in minimized.sent} == {leaf.path for leaf in action.shape.walk()}
            else:
                assert {path for path, _ in minimized.sent} <= action.shape.required_paths


class _Strict(Disclosed):
    """A form that nobody can guess."""

    code: Annotated[str, StringConstraints(pattern="^X[0-9]{4}$"), discloses(Category.OPERATIONAL, "a code")]


class _Shown(Disclosed):
    """The same, shown."""

    code: Annotated[
        str,
        StringConstraints(pattern="^X[0-9]{4}$"),
        Field(examples=["X1234"]),
        discloses(Category.OPERATIONAL, "a code"),
    ]


def test_a_form_that_nobody_can_guess_needs_an_example() -> None:
    with pytest.raises(ExampleMissing, match=r"_Strict\.code"):
        example_of(shape_of(_Strict))
    assert example_of(shape_of(_Shown)) == {"code": "X1234"}
