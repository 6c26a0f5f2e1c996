"""What every part of a manifest is made of: the base that refuses unknown keys, and the forms of its texts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Host = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=600)]


class Part(BaseModel):
    """Every part of a manifest refuses a key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
