"""Texts are counted as carriers count them: by vectors of the standard's limits, and beside Twilio's own calculator."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopes.segments import BASIC, EXTENSION, GSM7, Count, count
from scopes.wording import Encoding
from tests.npm import asked_of

G, U = Encoding.GSM7, Encoding.UCS2
NPM = Path(__file__).with_name("npm_segments")


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", G, 0, 0),
        ("a", G, 1, 1),
        ("a" * 160, G, 160, 1),
        ("a" * 161, G, 161, 2),
        ("a" * 306, G, 306, 2),
        ("a" * 307, G, 307, 3),
        ("€" * 80, G, 160, 1),
        ("€" * 81, G, 162, 2),
        # 153 is odd: a character of the extension table does not fit into the last place, and moves on.
        ("a" * 152 + "€" + "a" * 152, G, 306, 3),
        ("a" * 151 + "€" + "a" * 153, G, 306, 2),
        ("^{}\\[~]|€\f", G, 20, 1),
        ("ç", U, 1, 1),  # only the capital is in the table
        ("Ç", G, 1, 1),
        ("₹" * 70, U, 70, 1),
        ("₹" * 71, U, 71, 2),
        ("₹" * 134, U, 134, 2),
        ("₹" * 135, U, 135, 3),
        ("😀" * 35, U, 70, 1),
        ("😀" * 36, U, 72, 2),
        # 67 is odd: half of a pair does not go alone.
        ("😀" * 67, U, 134, 3),
        ("a" * 69 + "’", U, 70, 1),
        ("\u202f", U, 1, 1),
    ],
)
def test_a_text_is_counted(text: str, encoding: Encoding, units: int, segments: int) -> None:
    assert count(text) == Count(encoding, units, segments)


def test_the_alphabet_has_the_size_that_the_standard_gives_it() -> None:
    assert (len(BASIC), len(EXTENSION)) == (127, 10)
    assert BASIC.isdisjoint(EXTENSION)


@given(st.text(max_size=500))
def test_more_text_never_costs_less_and_never_more_than_its_places(text: str) -> None:
    whole, half = count(text), count(text[: len(text) // 2])
    assert whole.units >= half.units
    assert whole.segments * 160 >= whole.units
    assert whole.segments <= 1 + whole.units // 66


def test_twilio_counts_the_same() -> None:
    chance = random.Random(20261125)
    alphabets = [sorted(GSM7 - set("\r\n\f")), [*sorted(GSM7 - set("\r\n\f")), "₹", "अ", "😀"], ["😀", "a"], ["a", "€"]]
    lengths = [0, 1, 69, 70, 71, 134, 135, 152, 153, 159, 160, 161, 200, 306, 307, 459, 460, 700]
    texts = [
        "".join(chance.choices(alphabet, k=length)) for alphabet in alphabets for length in lengths for _ in range(4)
    ]
    texts += sorted(GSM7 - set("\f"))  # each character alone
    answers = [json.loads(line) for line in asked_of(NPM, "count.mjs", [json.dumps(text) for text in texts])]
    names = {"GSM-7": G, "UCS-2": U}
    theirs = [(names[encoding], segments) for encoding, segments in answers]
    ours = [(counted.encoding, counted.segments) for counted in map(count, texts)]
    wrong = [(text, our, their) for text, our, their in zip(texts, ours, theirs, strict=True) if text and our != their]
    assert wrong == []
