"""A fault says where and what is expected, in fixed words; it never repeats what was found."""

import copy
import traceback
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, model_validator

from scopes.fault import Fault
from scopes.field import Disclosed, Unfit, discloses, shape_of
from scopes.minimize import InvalidPayload, minimize, minimize_answer
from scopes.vocabulary import Category
from tests.scopes.shapes import CANARY, ORDER, Opaque, dumped, full_order

_why = discloses(Category.OPERATIONAL, "a test")


def _blurt(value: str) -> str:
    raise ValueError(f"bad value {value}")


def _crash(value: str) -> str:
    """Crashes on what it reduces."""
    raise LookupError(value)


def _say(value: str) -> str:
    raise Unfit("must be something else")


class _Talkative(Disclosed):
    """Every field of it fails, each in its own way."""

    blurts: Annotated[str, AfterValidator(_blurt), _why]
    says: Annotated[str, AfterValidator(_say), _why]
    crashes: Annotated[str, discloses(Category.CONTACT, "a test", _crash)]
    form: Annotated[str, Field(pattern="^[a-z]+$"), _why]
    short: Annotated[str, Field(max_length=3), _why]
    small: Annotated[int, Field(le=9), _why]
    few: Annotated[list[str], Field(max_length=1), _why]


class _Whole(Disclosed):
    """A model whose fields must fit each other."""

    first: Annotated[str, _why]

    @model_validator(mode="after")
    def _never(self) -> "_Whole":
        raise Unfit("needs a second") if self.first == "said" else ValueError(self.first)


def _refusal(model: type[Disclosed], payload: Any) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as refused:
        minimize(shape_of(model), payload)
    return refused.value


def _all_that_it_says(error: BaseException | None) -> str:
    """The exception's texts and those of every exception that it remembers."""
    said = []
    while error is not None:
        said += [dumped(error, error.args, *getattr(error, "faults", ())), "".join(traceback.format_exception(error))]
        said += getattr(error, "__notes__", [])
        assert not type(error).__module__.startswith("pydantic")
        error = error.__cause__ or error.__context__
    return " ".join(said)


def _canaries(value: Any) -> Any:
    """A wrong value with the canary in it, for every declared place."""
    if isinstance(value, dict):
        return {name: _canaries(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_canaries(item) for item in value]
    return [CANARY] if isinstance(value, str) else CANARY


_FITTING: dict[str, list[Any]] = {"note": [CANARY], "tags": [[CANARY]]}


@pytest.mark.parametrize("place", sorted(full_order))
def test_no_message_holds_an_input_value(place: str) -> None:
    for wrong in (CANARY, {CANARY: CANARY}, [CANARY], Opaque(), CANARY.encode(), _canaries(full_order[place])):
        payload = copy.deepcopy(full_order) | {place: wrong}
        if wrong in _FITTING.get(place, ()):
            continue
        error = _refusal_of(payload)
        assert error.faults
        assert error.__context__ is None
        assert CANARY not in _all_that_it_says(error)


@given(st.text(min_size=4, max_size=30).map(lambda text: f"{CANARY}{text}"))
def test_a_validator_that_repeats_the_value_is_not_listened_to(canary: str) -> None:
    payload = dict.fromkeys(("blurts", "says", "crashes", "form", "short"), canary) | {"small": 10, "few": [canary] * 2}
    error = _refusal(_Talkative, payload)
    assert CANARY not in _all_that_it_says(error)
    assert error.faults == (
        Fault("blurts", "is not valid"),
        Fault("says", "must be something else"),
        Fault("crashes", "cannot be reduced to what may leave"),
        Fault("form", "does not have the declared form"),
        Fault("short", "must have at most 3 characters"),
        Fault("small", "must be at most 9"),
        Fault("few", "must have at most 1 items"),
    )


def test_a_rule_that_is_itself_broken_refuses_the_payload_and_keeps_its_exception_to_itself() -> None:
    class Broken(Disclosed):
        word: Annotated[str, AfterValidator(_crash), _why]

    error = _refusal(Broken, {"word": CANARY})
    assert CANARY not in _all_that_it_says(error)
    assert error.faults == (Fault("", "cannot be checked: a rule of its declaration fails with LookupError"),)
    assert minimize_answer(shape_of(Broken), {"word": CANARY}) == {}


def test_a_rule_over_the_whole_request_speaks_in_fixed_words_too() -> None:
    assert _refusal(_Whole, {"first": CANARY}).faults == (Fault("", "is not valid"),)
    error = _refusal(_Whole, {"first": "said"})
    assert error.faults == (Fault("", "needs a second"),)
    assert str(error) == "the payload needs a second"


def test_every_wrong_field_is_named_and_not_only_the_first() -> None:
    payload = copy.deepcopy(full_order) | {"channel": "pigeon", "attempt": True, "starts_at": "2026-13-01T00:00:00Z"}
    del payload["reference"]
    payload["items"] = [{"name": "a", "units": 1}, {"name": 7}, 3]
    payload["person"]["papers"][0]["day"] = "2026-11-17T10:30:00"
    assert {fault.path: fault.message for fault in _refusal_of(payload).faults} == {
        "reference": "is required",
        "channel": "must be 'sms' or 'mail'",
        "attempt": "must be a whole number of at most 64 bits",
        "starts_at": "must be a date and time as in ISO 8601, such as 2026-11-17T10:30:00+05:30",
        "person.papers[0].day": "must carry its offset from UTC",
        "items[1].name": "must be text",
        "items[1].units": "is required",
        "items[2]": "must be an object",
    }


def test_at_most_a_hundred_faults_are_told() -> None:
    assert len(_refusal_of(full_order | {"items": [CANARY] * 1000}).faults) == 100


def _refusal_of(payload: Any) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as refused:
        minimize(ORDER, payload)
    return refused.value


def test_another_model_in_the_payload_is_not_a_way_in() -> None:
    class Loose(BaseModel, extra="allow"):
        given_name: str

    assert "person" in str(_refusal_of(full_order | {"person": Loose(given_name="a", secret=CANARY)}))  # type: ignore[call-arg]
