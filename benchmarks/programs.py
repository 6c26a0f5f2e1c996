"""Start and end the programs of a measurement. Each ends by itself when whoever started it is gone."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
END_SECONDS = 5.0


class Program:
    """One module of ours run as its own program; its first line says, as JSON, where to reach it."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start the module; nothing is awaited yet."""
        self._running = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.id = self._running.pid

    def __enter__(self) -> Self:
        """Nothing more to do: the program runs."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close its input, which ends it; terminate and kill what does not listen."""
        assert self._running.stdin is not None
        self._running.stdin.close()
        for firmer in (self._running.terminate, self._running.kill):
            try:
                self._running.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                firmer()
        self._running.wait(END_SECONDS)

    def tell(self, message: object) -> None:
        """Send one line of JSON."""
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps(message) + "\n")
        self._running.stdin.flush()

    def hear(self, seconds: float = 20.0) -> Any:
        """Wait for one line of JSON; a program that stays silent is killed."""
        assert self._running.stdout is not None
        alarm = threading.Timer(seconds, self._running.kill)
        alarm.start()
        try:
            line = self._running.stdout.readline()
        finally:
            alarm.cancel()
        if not line:
            raise RuntimeError(f"a program of the benchmark said nothing: {self._running.args!r}")
        return json.loads(line)


def say(message: object) -> None:
    """Write one line of JSON to whoever started this program."""
    print(json.dumps(message), flush=True)


def listen_to_parent(heard: Callable[[Any], None] | None = None, at_end: Callable[[], None] | None = None) -> None:
    """End this program when its input closes, at once or as `at_end` does; hand over each line of JSON before that."""

    def read() -> None:
        for line in sys.stdin:
            if heard:
                heard(json.loads(line))
        if at_end is None:
            os._exit(0)
        at_end()

    threading.Thread(target=read, daemon=True).start()
