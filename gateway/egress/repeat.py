"""When an attempt is made again: the only retries there are. Sends nothing itself; time and chance come in."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2
from tenacity import AsyncRetrying, RetryCallState

from connectors.contract import Ambiguous, ConnectorError, Unreachable
from scopes.vocabulary import Repeat

Ending = httpx2.Response | ConnectorError

_ATTEMPTS: Final = 3
_FIRST_WAIT_SECONDS: Final = 0.2
_LONGEST_BACKOFF_SECONDS: Final = 4.0
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_CONFLICT: Final = 409  # under an idempotency key: the same request is still running there
_TOO_MANY: Final = 429


def worth_repeating(ending: Ending, repeat: Repeat) -> bool:
    """Whether an attempt that ended so may be made again without a second effect at the vendor."""
    if repeat is Repeat.NEVER:
        return False
    if isinstance(ending, ConnectorError):
        return isinstance(ending, Unreachable) or (repeat is Repeat.ALWAYS and isinstance(ending, Ambiguous))
    status = ending.status_code
    # 429 says that nothing was done, so it is repeated in either case.
    return status == _TOO_MANY or (repeat is Repeat.ALWAYS and (status >= 500 or status == _CONFLICT))


def leaves_doubt(ending: Ending) -> bool:
    """Whether an attempt that ended so may have worked all the same."""
    return isinstance(ending, Ambiguous) if isinstance(ending, ConnectorError) else ending.status_code >= 500


def settle(ending: Ending, *, doubt: bool) -> httpx2.Response:
    """The answer, or raise the failure; `doubt` says that an earlier attempt may have worked.

    An answer that says nothing about the earlier attempt (429, 409, no connection) does not take the doubt away.
    """
    if isinstance(ending, ConnectorError):
        raise Ambiguous("earlier_attempt") if doubt and not isinstance(ending, Ambiguous) else ending
    if doubt and ending.status_code in (_TOO_MANY, _CONFLICT):
        raise Ambiguous("earlier_attempt")
    return ending


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to wait between attempts, and until when."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]

    async def again(
        self,
        first: Ending,
        attempt: Callable[[], Awaitable[Ending]],
        *,
        repeat: Repeat,
        deadline: float,
        possible: Callable[[], bool] = lambda: True,
    ) -> httpx2.Response:
        """Go on after a first attempt that ended badly; at most three attempts, none begun after the deadline.

        `possible` says whether the request is still there to be made again.
        """
        waiting, endings = [first], list[Ending]()

        async def next_ending() -> Ending:
            ending = waiting.pop() if waiting else await attempt()
            endings.append(ending)
            return ending

        attempts = AsyncRetrying(
            sleep=self.sleep,
            wait=self._wait_seconds,
            stop=lambda state: state.attempt_number >= _ATTEMPTS or self.clock() + state.upcoming_sleep >= deadline,
            retry=lambda state: worth_repeating(_ending(state), repeat) and possible(),
            retry_error_callback=_ending,
        )
        last: Ending = await attempts(next_ending)
        return settle(last, doubt=any(leaves_doubt(ending) for ending in endings[:-1]))

    def _wait_seconds(self, state: RetryCallState) -> float:
        backoff: float = min(_FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1), _LONGEST_BACKOFF_SECONDS)
        return max(backoff * (0.5 + self.chance() / 2), _wished_seconds(_ending(state)))


def _ending(state: RetryCallState) -> Ending:
    ending: Ending = state.outcome.result() if state.outcome is not None else Unreachable()
    return ending


def _wished_seconds(ending: Ending) -> float:
    """The vendor's Retry-After (RFC 9110 10.2.3) in seconds; a date counts from the answer's own Date."""
    if isinstance(ending, ConnectorError):
        return 0.0
    wish = ending.headers.get("retry-after", "")
    if _SECONDS.fullmatch(wish):
        return float(wish)
    try:
        until, now = parsedate_to_datetime(wish), parsedate_to_datetime(ending.headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
