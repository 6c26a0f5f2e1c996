"""Structured log lines of ids and codes. Never values of people, never exception text of a third party."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "room": record.name,
            "event": record.msg if isinstance(record.msg, str) else type(record.msg).__name__,
        }
        line.update(getattr(record, "ids", {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # the type only: messages may quote what they choked on
        return orjson.dumps(line, default=str).decode()


class _StandardError(logging.Handler):
    """Writes to standard error as it is now: it may be another one than when the logs were configured."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


class Log:
    """One room's log: `log.info("disclosed", disclosure=id, fields=3)`."""

    def __init__(self, room: str) -> None:
        self._logger = logging.getLogger(room)

    def debug(self, event: str, **ids: Any) -> None:
        """What only a developer wants to see."""
        self._logger.debug(event, extra={"ids": ids})

    def info(self, event: str, **ids: Any) -> None:
        """What an operator may want to count."""
        self._logger.info(event, extra={"ids": ids})

    def warning(self, event: str, **ids: Any) -> None:
        """What an operator should look at."""
        self._logger.warning(event, extra={"ids": ids})

    def error(self, event: str, *, failure: BaseException | None = None, **ids: Any) -> None:
        """What an operator must look at; of a failure only its type is kept."""
        if failure is not None:
            ids["error"] = type(failure).__name__
        self._logger.error(event, extra={"ids": ids})


def configure(level: str = "INFO") -> None:
    """Send every logger's lines to standard error as JSON, one per line, and keep third parties quiet."""
    lines = _StandardError()
    lines.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[lines], force=True)
    logging.getLogger("gateway").setLevel(level)
