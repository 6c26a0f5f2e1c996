"""Sealing as Fidelius does it: the published vector, a slow second opinion, and every key that is not one."""

import hashlib
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import pairwise

import pytest
from cryptography.exceptions import AlreadyFinalized
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.abdm.crypto import (
    CryptoError,
    KeyPair,
    KeyRefused,
    NonceRefused,
    RecordChanged,
    RecordDiffers,
    Sealing,
    generate,
    seal,
    sealed_size,
    spki,
    unseal,
)
from tests.connectors.abdm import slow
from tests.connectors.abdm.slow import BOUNCY_CASTLE_PREFIX, CONTENT, HIP, HIU, PLAINTEXT

NAMED_PREFIX = bytes.fromhex("305b301506072a8648ce3d0201060a2b060104019755010501034200")
BLOCK = 3 << 14


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def found(wanted: Callable[[KeyPair], bool]) -> KeyPair:
    """The first pair of a fixed row that is as wanted."""
    draw = seeded(25519)
    return next(pair for pair in iter(lambda: generate(draw), None) if wanted(pair))


def refusal(public: bytes, own: KeyPair = HIP, nonce: bytes = HIU.nonce) -> str:
    """Why a peer's key is refused, by sealing, opening and sealing piece by piece alike."""
    codes = set()
    for attempt in (
        lambda: seal(PLAINTEXT, own=own, peer_public=public, peer_nonce=nonce),
        lambda: unseal(b64decode(CONTENT), own=own, peer_public=public, peer_nonce=nonce),
        lambda: Sealing(len(PLAINTEXT), own=own, peer_public=public, peer_nonce=nonce),
    ):
        with pytest.raises(CryptoError) as refused:
            attempt()
        codes.add(refused.value.code)
    (code,) = codes
    return code


def opens_both_ways(one: KeyPair, other: KeyPair, as_sent: Callable[[bytes], bytes] = lambda public: public) -> bool:
    there = seal(PLAINTEXT, own=one, peer_public=as_sent(other.public), peer_nonce=other.nonce)
    back = seal(PLAINTEXT, own=other, peer_public=as_sent(one.public), peer_nonce=one.nonce)
    assert there == back == slow.sealed(PLAINTEXT, own=one, public=other.public, nonce=other.nonce)
    return unseal(there, own=other, peer_public=as_sent(one.public), peer_nonce=one.nonce) == PLAINTEXT


# The published vector


def test_the_published_record_is_sealed_byte_for_byte_by_the_provider() -> None:
    sealed = seal(PLAINTEXT, own=HIP, peer_public=HIU.public, peer_nonce=HIU.nonce)
    assert b64encode(sealed).decode() == CONTENT


def test_the_published_record_is_sealed_byte_for_byte_by_the_user_of_information() -> None:
    sealed = seal(PLAINTEXT, own=HIU, peer_public=HIP.public, peer_nonce=HIP.nonce)
    assert b64encode(sealed).decode() == CONTENT


def test_the_published_record_opens_on_both_sides() -> None:
    for own, peer in ((HIP, HIU), (HIU, HIP)):
        assert unseal(b64decode(CONTENT), own=own, peer_public=peer.public, peer_nonce=peer.nonce) == PLAINTEXT


def test_the_slow_opinion_knows_the_published_secret_and_keys() -> None:
    assert slow.shared_x(HIP.private, HIU.public) == slow.shared_x(HIU.private, HIP.public) == slow.SHARED_X
    for side in (HIP, HIU):
        assert slow.written(slow.times(int.from_bytes(side.private, "big"), slow.G)) == side.public


# Any pair of keys


def test_a_thousand_pairs_agree_with_the_slow_opinion() -> None:
    draw, peers = seeded(1), random.Random(2)
    for number in range(1000):
        own = generate(draw)
        assert slow.written(slow.times(int.from_bytes(own.private, "big"), slow.G)) == own.public
        scalar = peers.randrange(1, slow.n)  # as BouncyCastle draws it: seldom clamped
        point = slow.times(scalar, slow.G)
        peer = KeyPair(scalar.to_bytes(32, "big"), slow.written(point), peers.randbytes(32))
        record = peers.randbytes(number % 100)
        sealed = seal(record, own=own, peer_public=peer.public, peer_nonce=peer.nonce)
        assert sealed == slow.sealed(record, own=own, public=peer.public, nonce=peer.nonce)
        assert unseal(sealed, own=peer, peer_public=own.public, peer_nonce=own.nonce) == record


@pytest.mark.parametrize(
    "scalar",
    [1, 2, 7, 8, 16, 2**125, slow.n - 1, slow.n - 8, slow.n + 1, 2**255 + 8, 2**256 - 1, 8 * (2**124)],
    ids=lambda scalar: f"{scalar:x}",
)
def test_any_private_key_multiplies_as_the_number_that_it_is(scalar: int) -> None:
    own = KeyPair(scalar.to_bytes(32, "big"), slow.written(slow.times(scalar, slow.G)), HIP.nonce)
    assert opens_both_ways(own, HIU)


@pytest.mark.parametrize("scalar", [0, slow.n, 2 * slow.n])
def test_a_private_key_that_is_nothing_is_refused(scalar: int) -> None:
    own = KeyPair(scalar.to_bytes(32, "big"), HIP.public, HIP.nonce)
    assert refusal(HIU.public, own) == "private_zero"


def test_no_two_pairs_are_the_same() -> None:
    pairs = [generate() for _ in range(50)]
    assert len({pair.private for pair in pairs}) == len({pair.nonce for pair in pairs}) == 50


@pytest.mark.parametrize("drawn", [b"\x00" * 32, b"\xff" * 32])
def test_the_least_and_the_greatest_draw_make_a_pair(drawn: bytes) -> None:
    pair = generate(lambda size: drawn[:size])
    assert slow.written(slow.times(int.from_bytes(pair.private, "big"), slow.G)) == pair.public
    assert opens_both_ways(pair, HIU)


# Leading zeros


def test_a_key_whose_x_begins_with_zero_keeps_it() -> None:
    pair = found(lambda pair: pair.public[1] == 0)
    assert len(pair.public) == 65
    assert len(spki(pair.public)) == 309
    assert opens_both_ways(pair, HIU)


def test_a_key_whose_y_begins_with_zero_keeps_it() -> None:
    pair = found(lambda pair: pair.public[33] == 0)
    assert len(pair.public) == 65
    assert opens_both_ways(pair, HIU)


def test_a_private_key_that_begins_with_zeros_keeps_them() -> None:
    scalar = 2**200 + 12345
    own = KeyPair(scalar.to_bytes(32, "big"), slow.written(slow.times(scalar, slow.G)), HIP.nonce)
    assert opens_both_ways(own, HIU)


def test_a_shared_x_that_begins_with_zero_keeps_it() -> None:
    begun = found(lambda pair: slow.shared_x(pair.private, HIU.public)[0] == 0)
    assert opens_both_ways(begun, HIU)


# How a peer writes its key


def test_our_key_in_x509_is_what_bouncy_castle_writes() -> None:
    written = spki(HIP.public)
    assert written == BOUNCY_CASTLE_PREFIX + HIP.public
    assert len(written) == 309
    assert b64encode(written).startswith(b"MIIBMTCB6gYHKoZIzj0CATCB3gIBATAr")


def test_a_peers_key_in_x509_with_explicit_parameters_is_read() -> None:
    assert opens_both_ways(HIP, HIU, lambda public: BOUNCY_CASTLE_PREFIX + public)


def test_a_peers_key_in_x509_with_a_named_curve_is_read() -> None:
    assert len(NAMED_PREFIX + HIU.public) == 93
    assert opens_both_ways(HIP, HIU, lambda public: NAMED_PREFIX + public)


@given(position=st.integers(0, 243), bit=st.integers(0, 7))
def test_x509_with_any_other_parameter_is_refused(position: int, bit: int) -> None:
    changed = bytearray(BOUNCY_CASTLE_PREFIX + HIU.public)
    changed[position] ^= 1 << bit
    assert refusal(bytes(changed)) == "other_curve"


def test_x509_with_another_named_curve_is_refused() -> None:
    p256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    assert refusal(p256 + HIU.public) == "length"
    assert refusal(NAMED_PREFIX.replace(b"\x97\x55\x01\x05\x01", b"\x97\x55\x01\x05\x02") + HIU.public) == "other_curve"


def test_x25519s_own_key_is_refused() -> None:
    assert refusal(HIU.public[1:33]) == "length"
    assert refusal(bytes.fromhex("302a300506032b656e032100") + HIU.public[1:33]) == "length"


@pytest.mark.parametrize("prefix", [b"", NAMED_PREFIX, BOUNCY_CASTLE_PREFIX], ids=["raw", "named", "explicit"])
def test_bytes_after_the_point_are_refused(prefix: bytes) -> None:
    assert refusal(prefix + HIU.public + b"\x00") == "length"


@pytest.mark.parametrize("prefix", [b"", NAMED_PREFIX, BOUNCY_CASTLE_PREFIX], ids=["raw", "named", "explicit"])
def test_a_key_that_is_cut_is_refused(prefix: bytes) -> None:
    whole = prefix + HIU.public
    assert {refusal(whole[:size]) for size in range(len(whole)) if size not in (65, 93)} == {"length"}


def test_a_compressed_point_is_refused() -> None:
    for first in (2, 3):
        assert refusal(bytes([first]) + HIU.public[1:33]) == "length"
        assert refusal(bytes([first]) + HIU.public[1:]) == "compressed"


def test_every_first_byte_but_04_is_refused() -> None:
    assert {refusal(bytes([first]) + HIU.public[1:]) for first in range(256) if first != 4} == {"compressed"}


@given(st.binary(max_size=400))
def test_bytes_at_random_are_refused(public: bytes) -> None:
    assert refusal(public) in ("length", "compressed", "other_curve", "out_of_range", "not_on_curve")


# Points that are not


@given(st.integers(0, slow.p - 1), st.integers(0, slow.p - 1))
def test_a_point_off_the_curve_is_refused(x: int, y: int) -> None:
    assert refusal(slow.written((x, y))) == "not_on_curve"


def test_a_point_of_the_curve_with_a_flipped_bit_is_refused() -> None:
    for position in range(8, 65 * 8):
        changed = bytearray(HIU.public)
        changed[position // 8] ^= 1 << position % 8
        assert refusal(bytes(changed)) in ("not_on_curve", "out_of_range")


def test_a_point_of_the_twist_is_refused() -> None:
    """X25519 would take it: it looks at no y."""
    x = next(x for x in range(2, 1000) if slow.root(slow.right_side(x)) is None)
    y = slow.root(2 * slow.right_side(x))  # 2 is no square either: a point of 2y² = x³ + ax + b
    assert y is not None
    assert refusal(slow.written((x, y))) == "not_on_curve"


def test_the_point_at_infinity_is_refused() -> None:
    assert refusal(b"\x00") == "length"
    assert refusal(b"\x00" * 65) == "compressed"
    assert refusal(b"\x04" + b"\x00" * 64) == "not_on_curve"


@pytest.mark.parametrize("which", [0, 1], ids=["x", "y"])
@pytest.mark.parametrize("beyond", [0, 1, 18], ids=lambda beyond: f"p+{beyond}")
def test_a_coordinate_that_is_not_below_the_prime_is_refused(which: int, beyond: int) -> None:
    point = [*(slow.read(HIU.public) or ())]
    point[which] = slow.p + beyond
    assert refusal(slow.written((point[0], point[1]))) == "out_of_range"


def test_a_point_written_with_p_added_is_refused_although_it_is_the_same_modulo_p() -> None:
    x = next(x for x in range(19) if slow.root(slow.right_side(x)) is not None)
    y = slow.root(slow.right_side(x)) or 0
    assert refusal(slow.written((x + slow.p, y))) == "out_of_range"


def torsion() -> dict[int, slow.Point]:
    """A point of each small order: what the order of the large group leaves of any point."""
    points: dict[int, slow.Point] = {}
    for x in range(2, 200):
        y = slow.root(slow.right_side(x))
        if y is not None:
            left, order = slow.times(slow.n, (x, y)), 1
            while slow.times(order, left) is not None:
                order *= 2
            points[order] = left
    eighth = points[8]
    return {8: eighth, 4: slow.times(2, eighth), 2: slow.times(4, eighth)}


TORSION = torsion()


@pytest.mark.parametrize("order", [2, 4, 8])
def test_a_point_of_a_small_order_is_refused(order: int) -> None:
    assert slow.times(order, TORSION[order]) is None
    assert slow.times(order // 2, TORSION[order]) is not None
    assert refusal(slow.written(TORSION[order])) == "low_order"


@pytest.mark.parametrize("order", [2, 4, 8])
@pytest.mark.parametrize("other", [slow.G, slow.read(HIU.public)], ids=["base", "hiu"])
def test_a_point_with_a_part_of_a_small_order_is_refused(order: int, other: slow.Point) -> None:
    assert refusal(slow.written(slow.add(other, TORSION[order]))) == "low_order"


def test_the_base_point_and_every_other_of_the_large_group_is_taken() -> None:
    for scalar in (1, 2, 3, 8, slow.n - 1):
        public = slow.written(slow.times(scalar, slow.G))
        assert opens_both_ways(HIP, KeyPair(scalar.to_bytes(32, "big"), public, HIU.nonce))


# Nonces and our own side


@pytest.mark.parametrize("size", [0, 1, 12, 31, 33, 36, 64])
def test_a_nonce_of_any_other_length_is_refused(size: int) -> None:
    assert refusal(HIU.public, nonce=bytes(size)) == "nonce_length"
    with pytest.raises(NonceRefused):
        KeyPair(HIP.private, HIP.public, bytes(size))


@pytest.mark.parametrize("size", [0, 31, 33, 65])
def test_a_short_or_long_private_key_is_refused(size: int) -> None:
    with pytest.raises(KeyRefused) as refused:
        KeyPair(bytes(size), HIP.public, HIP.nonce)
    assert refused.value.code == "private_length"


def test_a_pairs_text_shows_no_private_key() -> None:
    pair = generate()
    for text in (repr(pair), str(pair), f"{pair}"):
        assert "private" not in text
        assert repr(pair.private)[2:-1] not in text


def test_a_refusal_says_what_is_wrong_and_no_byte_of_a_key() -> None:
    wrong = bytes([4]) + b"\x5a" * 64
    with pytest.raises(KeyRefused) as refused:
        seal(PLAINTEXT, own=HIP, peer_public=wrong, peer_nonce=HIU.nonce)
    error = refused.value
    assert error.args == ("The public key is not a point of Curve25519 in Weierstrass form. (not_on_curve)",)
    assert (error.__cause__, error.__context__) == (None, None)
    assert vars(error) == {"code": "not_on_curve"}


# What was changed on its way


def test_a_flipped_bit_anywhere_in_record_or_tag_is_found() -> None:
    sealed = b64decode(CONTENT)
    for position in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(RecordChanged):
            unseal(bytes(changed), own=HIU, peer_public=HIP.public, peer_nonce=HIP.nonce)


@pytest.mark.parametrize("cut", [0, 1, 12, 15, 16, 40, -16, -1])
def test_a_record_that_is_cut_is_found(cut: int) -> None:
    with pytest.raises(RecordChanged) as found:
        unseal(b64decode(CONTENT)[:cut], own=HIU, peer_public=HIP.public, peer_nonce=HIP.nonce)
    assert found.value.__context__ is None


def test_a_record_with_bytes_added_is_found() -> None:
    with pytest.raises(RecordChanged):
        unseal(b64decode(CONTENT) + b"\x00", own=HIU, peer_public=HIP.public, peer_nonce=HIP.nonce)


@pytest.mark.parametrize("other", ["nonce", "key"])
def test_a_record_sealed_for_another_exchange_does_not_open(other: str) -> None:
    stranger = generate()
    peer = KeyPair(HIP.private, stranger.public if other == "key" else HIP.public, stranger.nonce)
    with pytest.raises(RecordChanged):
        unseal(b64decode(CONTENT), own=HIU, peer_public=peer.public, peer_nonce=peer.nonce)


# Piece by piece


def sealing(size: int) -> Sealing:
    return Sealing(size, own=HIP, peer_public=HIU.public, peer_nonce=HIU.nonce)


def content(piecewise: Sealing, pieces: list[bytes]) -> list[bytes]:
    return [block for piece in pieces for block in piecewise.take(piece)] + [piecewise.end()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.integers(0, 5), st.integers(BLOCK - 2, BLOCK + 2), st.integers(0, 3 * BLOCK)), max_size=5))
def test_pieces_of_any_size_give_what_the_whole_gives(sizes: list[int]) -> None:
    record = random.Random(7).randbytes(sum(sizes))
    ends = [sum(sizes[:index]) for index in range(len(sizes) + 1)]
    piecewise = sealing(len(record))
    joined = b"".join(content(piecewise, [record[start:end] for start, end in pairwise(ends)]))
    assert b64decode(joined, validate=True) == seal(record, own=HIP, peer_public=HIU.public, peer_nonce=HIU.nonce)
    assert len(joined) == sealed_size(len(record))
    assert piecewise.checksum == hashlib.md5(record).hexdigest()


@pytest.mark.parametrize("size", [*range(6), BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_the_size_of_what_is_sealed_is_known_ahead(size: int) -> None:
    assert len(b"".join(content(sealing(size), [bytes(size)]))) == sealed_size(size)


def test_no_piece_of_content_is_larger_than_a_block() -> None:
    assert max(map(len, content(sealing(10 * BLOCK + 5), [bytes(10 * BLOCK + 5)]))) == 64 << 10


def test_a_record_that_is_larger_than_announced_is_not_sealed_further() -> None:
    piecewise = sealing(2 * BLOCK)
    assert sum(map(len, piecewise.take(bytes(2 * BLOCK)))) < sealed_size(2 * BLOCK)
    with pytest.raises(RecordDiffers):
        list(piecewise.take(bytes(1)))


@pytest.mark.parametrize("size", [1, BLOCK, 2 * BLOCK + 1])
def test_a_record_that_is_smaller_than_announced_gets_no_tag(size: int) -> None:
    piecewise = sealing(size)
    list(piecewise.take(bytes(size - 1)))
    with pytest.raises(RecordDiffers):
        piecewise.end()


def test_one_sealing_seals_one_record() -> None:
    """A second one under the same key and vector would give both away."""
    once = sealing(3)
    assert len(content(once, [b"one"])) == 1
    for again in (lambda: list(once.take(b"two")), once.end):
        with pytest.raises((RecordDiffers, AlreadyFinalized)):
            again()
