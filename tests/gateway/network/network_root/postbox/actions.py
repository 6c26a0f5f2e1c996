"""What the network of the tests is told: which of its letters is answered."""

from typing import Annotated, Final

from connectors.contract import Exchange
from connectors.records import Answers, Taken
from scopes.field import Disclosed, discloses
from scopes.opaque import OpaqueReference
from scopes.vocabulary import Category


class Answer(Disclosed):
    """That a letter was taken note of."""

    answers: Answers
    note: Annotated[OpaqueReference | None, discloses(Category.OPERATIONAL, "what became of it")] = None


ACTIONS: Final = {"answer": Exchange(Answer, Taken)}
