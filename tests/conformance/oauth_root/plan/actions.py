"""What the two planning vendors of the tests may be told: references and nothing else."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from connectors.contract import Exchange
from scopes.field import Disclosed, discloses
from scopes.opaque import OpaqueReference
from scopes.vocabulary import Category

_Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$"), Field(examples=["evt_7Hq2ZkW9"])]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$"), Field(examples=["accepted"])]


class Look(Disclosed):
    """A question whether a time is free."""

    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "which plan it is")]


class Book(Disclosed):
    """A time that is taken."""

    reference: Annotated[OpaqueReference, discloses(Category.IDENTIFIER, "which plan it is")]


class Planned(Disclosed):
    """What is kept of the answer."""

    id: Annotated[_Id, discloses(Category.IDENTIFIER, "the vendor's id")]
    status: Annotated[_Word | None, discloses(Category.OPERATIONAL, "how far it is")] = None


ACTIONS: Final = {"look": Exchange(Look, Planned), "book": Exchange(Book, Planned)}
