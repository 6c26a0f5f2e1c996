"""The picture of what flows where: nothing overlaps, widths say how much, and it is the same picture each time."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from itertools import pairwise

import pytest

from gateway.web.sankey import BAR, ROOM, Band, Picture, sankey

XS = (150.0, 350.0, 600.0, 800.0)


def drawn(bands: list[Band], **given: int) -> Picture:
    """The picture of some bands."""
    return sankey(bands, xs=XS, width=960.0, **given)


def many(count: int, seed: int = 7) -> list[Band]:
    """Bands as a big clinic has them."""
    chance = random.Random(seed)
    kinds = ["identity", "contact", "appointment", "billing", "operational", "clinical", "staff"]
    connectors = [f"family/vendor{at}" for at in range(9)]
    countries = dict(zip(connectors, ["US", "IE", "IN", "US", "NO", "DE", "US", "SG", "IN"], strict=True))
    made = {}
    while len(made) < count:
        connector = chance.choice(connectors)
        names = (chance.choice(kinds), connector, f"{connector} Inc.", countries[connector])
        made[names] = Band(names, chance.choice([1, 3, 40, 700, 12_000]))
    return list(made.values())


def columns_of(picture: Picture) -> dict[int, list[tuple[float, float]]]:
    """The extents of the bars of each column, from the top."""
    found = defaultdict(list)
    for bar in picture.bars:
        found[bar.column].append((bar.y, bar.y + bar.height))
    return {column: sorted(extents) for column, extents in found.items()}


@pytest.mark.parametrize("count", [1, 2, 12, 60])
def test_no_bar_covers_another_and_every_label_has_its_room(count: int) -> None:
    picture = drawn(many(count))
    for extents in columns_of(picture).values():
        for (upper_top, upper), (lower, lower_end) in pairwise(extents):
            assert lower >= upper
            assert (lower + lower_end) / 2 - (upper_top + upper) / 2 >= ROOM - 0.01
        assert extents[0][0] >= 0
        assert extents[-1][1] <= picture.height + 0.01


@pytest.mark.parametrize("count", [1, 2, 12, 60])
def test_what_arrives_at_a_bar_is_what_leaves_it_and_fills_it(count: int) -> None:
    picture = drawn(many(count))
    for bar in picture.bars:
        through = [ribbon.width for ribbon in picture.ribbons if ribbon.band.names[bar.column] == bar.name]
        assert sum(through) == pytest.approx(bar.height)
        assert sum(r.band.amount for r in picture.ribbons if r.band.names[bar.column] == bar.name) == bar.amount


@pytest.mark.parametrize("count", [2, 60])
def test_bands_begin_and_end_beside_each_other_at_their_bars(count: int) -> None:
    picture = drawn(many(count))
    for column in range(3):
        for edge, side in ((column, 0), (column + 1, 1)):
            taken = defaultdict(list)
            for ribbon in picture.ribbons:
                piece = ribbon.path.split("Z")[column]
                found = [float(number) for number in re.findall(r"-?\d+\.\d+", piece)]
                x, y = (found[0], found[1]) if side == 0 else (found[6], found[7])
                bar = next(b for b in picture.bars if (b.column, b.name) == (edge, ribbon.band.names[edge]))
                assert x == pytest.approx(bar.x + (BAR if side == 0 else 0), abs=0.1)
                taken[bar.name].append((y, y + ribbon.width))
            for extents in taken.values():
                for (_, upper), (lower, _) in pairwise(sorted(extents)):
                    assert lower == pytest.approx(upper, abs=0.15)


def test_twice_as_much_is_twice_as_wide() -> None:
    picture = drawn([Band(("a", "b", "c", "d"), 200), Band(("e", "b", "c", "d"), 100)])
    wide = {ribbon.band.names[0]: ribbon.width for ribbon in picture.ribbons}
    assert wide["a"] == pytest.approx(2 * wide["e"])


def test_a_little_beside_a_lot_can_still_be_seen() -> None:
    picture = drawn([Band(("a", "b", "c", "d"), 1_000_000), Band(("e", "f", "g", "h"), 1)])
    assert min(ribbon.width for ribbon in picture.ribbons) >= 1.5
    assert picture.height < 700


def test_order_keeps_what_belongs_together_from_crossing() -> None:
    crossing = [
        Band(("contact", "x", "X Inc.", "US"), 90),
        Band(("billing", "y", "Y Ltd.", "IN"), 100),
        Band(("staff", "z", "Z AS", "NO"), 80),
    ]
    picture = drawn(crossing)
    ys = {(bar.column, bar.name): bar.y for bar in picture.bars}
    for upper, lower in pairwise(sorted(crossing, key=lambda band: ys[0, band.names[0]])):
        assert all(ys[column, upper.names[column]] < ys[column, lower.names[column]] for column in range(4))


def test_the_same_bands_in_any_order_give_the_same_bars() -> None:
    bands = many(60)
    shuffled = random.Random(1).sample(bands, len(bands))
    assert {(b.column, b.name, round(b.y, 6)) for b in drawn(bands).bars} == {
        (b.column, b.name, round(b.y, 6)) for b in drawn(shuffled).bars
    }


def test_the_smallest_names_of_a_crowded_column_are_drawn_as_one() -> None:
    bands = [Band(("contact", f"v{at:03}", f"Vendor {at}", "US"), 1000 - at) for at in range(100)]
    picture = drawn(bands, most=10)
    recipients = [bar for bar in picture.bars if bar.column == 2]
    assert len(recipients) == 10
    rest = next(bar for bar in recipients if bar.name == "Others")
    assert rest.folded == 91
    assert rest.amount == sum(1000 - at for at in range(9, 100))
    assert len(picture.ribbons) == 100  # nothing is left out


def test_nothing_gives_an_empty_picture() -> None:
    assert drawn([]).bars == ()
    assert drawn([Band(("a", "b", "c", "d"), 0)]).ribbons == ()
