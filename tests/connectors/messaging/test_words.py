"""What a reply comes down to: whole messages in many languages, and nothing else."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.messaging.fields import Meaning
from connectors.messaging.words import (
    CARRIER_STOPS,
    CONFIRM,
    DECLINE,
    START,
    STOP,
    is_carrier_stop,
    meaning,
    plain,
    words,
)

_LANGUAGES = "en de fr es pt it nl no sv da fi pl tr ru ar hi bn ta te mr gu kn ml ur pa zh id"
LANGUAGES = set(_LANGUAGES.split())


@pytest.mark.parametrize("lists", [STOP, START, CONFIRM, DECLINE], ids=["stop", "start", "confirm", "decline"])
def test_every_language_has_words_for_everything(lists: dict[str, str]) -> None:
    assert set(lists) == LANGUAGES
    assert all(len(written.split(", ")) >= 2 for written in lists.values())


def test_every_word_means_what_its_list_says_and_only_that() -> None:
    meant: dict[str, Meaning] = {}
    for language, means, word in words():
        assert plain(word), (language, word)
        assert meant.setdefault(plain(word), means) is means, f"{word} ({language}) means {meant[plain(word)]} too"
        assert meaning(word) is means, (language, word)


@pytest.mark.parametrize(
    "change", [str.upper, str.title, " {} \n".format, "{}!".format, "«{}»…".format, "🙏 {} 👍🏽".format]
)
def test_case_spaces_punctuation_and_emoji_change_nothing(change: object) -> None:
    assert callable(change)
    for language, means, word in words():
        assert meaning(change(word)) is means, (language, change(word))


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("ＳＴＯＰ", Meaning.STOP),
        ("S\u200bTOP", Meaning.STOP),
        ("STOP-ALL", Meaning.STOP),
        ("Désabonner", Meaning.STOP),
        ("DESABONNER", Meaning.STOP),
        (unicodedata.normalize("NFD", "Désabonner"), Meaning.STOP),
        ("İPTAL", Meaning.DECLINE),
        ("HAYIR", Meaning.DECLINE),
        ("hayır", Meaning.DECLINE),
        ("si", Meaning.CONFIRM),
        ("d’accord", Meaning.CONFIRM),
        ("I can’t come.", Meaning.DECLINE),
        ("أؤكد", Meaning.CONFIRM),
        ("نَعَم", Meaning.CONFIRM),
        ("बंद करें।", Meaning.STOP),
        ("Ja, ich komme!", Meaning.CONFIRM),
        ("नहीं", Meaning.DECLINE),
        ("STOPP", Meaning.STOP),
    ],
)
def test_people_write_as_their_keyboards_let_them(text: str, means: Meaning) -> None:
    assert meaning(text) is means


@pytest.mark.parametrize(
    "text",
    ["", " ", "👍", "?!", "stop by at nine", "I will not stop", "yes but later", "no problem", "not yes", "S T O P",
     "please don't stop", "help", "1", "stop" * 40, "stop " * 200, "tak", "बं", "yes no", "cancel or not"],
)  # fmt: skip
def test_what_only_holds_a_word_is_for_a_person_to_read(text: str) -> None:
    assert meaning(text) is Meaning.OTHER


def test_vowel_signs_of_indian_scripts_are_letters_and_not_accents() -> None:
    assert plain("बंद") != plain("बद")
    assert plain("ना") != plain("न")


def test_carriers_take_their_own_list_for_an_opt_out_and_cancel_is_in_it() -> None:
    assert all(is_carrier_stop(word.upper()) for word in CARRIER_STOPS)
    assert meaning("CANCEL") is Meaning.DECLINE
    assert {word for word in CARRIER_STOPS if meaning(word) is not Meaning.STOP} == {"cancel"}
    assert not is_carrier_stop("basta")


@given(st.text(max_size=300))
def test_whatever_is_written_comes_down_to_something_and_twice_the_same(text: str) -> None:
    assert meaning(text) in Meaning
    assert plain(plain(text)) == plain(text)
