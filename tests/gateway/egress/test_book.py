"""Names resolved once, every address checked."""

import asyncio
from collections.abc import Sequence

import pytest

from connectors.contract import AnswerRefused, Unreachable
from gateway.egress.book import AddressBook, resolve_by_system
from tests.gateway.egress.doubles import Clock, Names

GOOD, OTHER = "93.184.215.14", "93.184.215.15"


@pytest.fixture
def book(names: Names, clock: Clock) -> AddressBook:
    return AddressBook(names, frozenset({"vendor.test", "127.0.0.1"}), clock)


async def test_a_name_is_asked_for_once_while_its_answer_is_fresh(
    book: AddressBook, names: Names, clock: Clock
) -> None:
    names.answers["a.test"] = [[GOOD]]
    assert book.known("a.test") is None
    assert await book.look_up("a.test", 443) == GOOD
    clock.now += 29
    assert book.known("a.test") == GOOD
    clock.now += 2
    assert book.known("a.test") is None
    assert names.asked == ["a.test"]


@pytest.mark.parametrize(
    "bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00::1", "odd"]
)
async def test_one_bad_address_among_good_ones_refuses_the_name(book: AddressBook, names: Names, bad: str) -> None:
    names.answers["a.test"] = [[GOOD, bad, OTHER]]
    with pytest.raises(AnswerRefused) as refused:
        await book.look_up("a.test", 443)
    assert refused.value.code == "private_address"
    assert book.known("a.test") is None


async def test_a_loopback_host_reaches_loopback_only(book: AddressBook, names: Names) -> None:
    assert await book.look_up("vendor.test", 80) == "127.0.0.1"
    for elsewhere in (GOOD, "10.0.0.1", "::ffff:127.0.0.1"):
        names.answers["vendor.test"] = [["127.0.0.1", elsewhere]]
        with pytest.raises(AnswerRefused):
            await book.look_up("vendor.test", 80)


async def test_an_address_as_a_host_is_checked_without_asking(book: AddressBook, names: Names) -> None:
    assert await book.look_up("127.0.0.1", 80) == "127.0.0.1"
    assert await book.look_up(GOOD, 443) == GOOD
    with pytest.raises(AnswerRefused):
        await book.look_up("10.0.0.1", 443)
    assert names.asked == []


async def test_a_name_without_an_address_is_unreachable(book: AddressBook, names: Names) -> None:
    names.answers["empty.test"] = [[]]
    for host in ("unknown.test", "empty.test"):
        with pytest.raises(Unreachable) as failed:
            await book.look_up(host, 443)
        assert failed.value.code == "dns_failed"
        assert failed.value.__context__ is None


async def test_callers_that_wait_for_one_name_share_one_look_up(book: AddressBook, names: Names) -> None:
    names.answers["a.test"] = [[GOOD]]
    assert await asyncio.gather(*(book.look_up("a.test", 443) for _ in range(20))) == [GOOD] * 20
    assert names.asked == ["a.test"]


async def test_a_caller_that_gives_up_does_not_take_the_look_up_with_it(book: AddressBook, names: Names) -> None:
    names.answers["a.test"] = [[GOOD]]
    impatient = asyncio.create_task(book.look_up("a.test", 443))
    patient = asyncio.create_task(book.look_up("a.test", 443))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == GOOD
    assert names.asked == ["a.test"]


async def test_a_slow_resolver_is_given_up(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return [GOOD]

    monkeypatch.setattr("gateway.egress.book._LOOKUP_SECONDS", 0.05)
    with pytest.raises(Unreachable):
        await AddressBook(slow, frozenset(), clock).look_up("a.test", 443)


async def test_an_address_in_use_stays_first_while_the_name_still_has_it(
    book: AddressBook, names: Names, clock: Clock
) -> None:
    names.answers["a.test"] = [[GOOD, OTHER], [OTHER, GOOD], [OTHER]]
    assert await book.look_up("a.test", 443) == GOOD
    assert await book.look_up("a.test", 443) == GOOD
    assert await book.look_up("a.test", 443) == OTHER


async def test_an_address_that_does_not_answer_goes_to_the_end(book: AddressBook, names: Names) -> None:
    names.answers["a.test"] = [[GOOD, OTHER]]
    await book.look_up("a.test", 443)
    book.pass_over("a.test", GOOD)
    assert book.known("a.test") == OTHER
    book.pass_over("a.test", GOOD)  # told late: the other one stays
    assert book.known("a.test") == OTHER


async def test_the_book_keeps_a_bounded_number_of_names(
    book: AddressBook, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.egress.book._NAMES", 3)
    for number in range(5):
        names.answers[f"n{number}.test"] = [[GOOD]]
        await book.look_up(f"n{number}.test", 443)
    assert [book.known(f"n{number}.test") for number in range(5)] == [None, None, GOOD, GOOD, GOOD]


async def test_the_systems_resolver_knows_this_machine() -> None:
    assert set(await resolve_by_system("127.0.0.1", 443)) == {"127.0.0.1"}
