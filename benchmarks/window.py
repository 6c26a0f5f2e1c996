"""What one measurement counts: the calls that end inside the window, after a warm-up that is thrown away."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import psutil


@dataclass(frozen=True)
class Result:
    """One measurement of one subject. CPU is of the server under test, per call, in microseconds."""

    calls: int
    all_calls: int
    errors: int
    first_error: str
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_cpu_us: float
    database_cpu_us: float
    load_share: float

    def as_json(self) -> dict[str, object]:
        """The figures by name."""
        return asdict(self)


@dataclass
class Window:
    """Collects latencies between `open` and `close`; counts every call and every error besides."""

    server: Sequence[int] = ()
    database: Sequence[int] = ()
    latencies: list[float] = field(default_factory=list)
    all_calls: int = 0
    errors: int = 0
    first_error: str = ""
    is_open: bool = False
    _begin: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    _end: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    def open(self) -> None:
        """Begin to count."""
        self._begin = self._clocks()
        self.is_open = True

    def close(self) -> None:
        """Stop counting."""
        self.is_open = False
        self._end = self._clocks()

    def record(self, seconds: float) -> None:
        """One call ended well."""
        self.all_calls += 1
        if self.is_open:
            self.latencies.append(seconds)

    def fail(self, why: str) -> None:
        """One call did not end well."""
        self.errors += 1
        self.first_error = self.first_error or why

    def result(self) -> Result:
        """The figures of the window."""
        wall, load, server, database = (after - before for before, after in zip(self._begin, self._end, strict=True))
        ordered = sorted(self.latencies) or [float("nan")]
        calls = len(self.latencies)
        return Result(
            calls=calls,
            all_calls=self.all_calls,
            errors=self.errors,
            first_error=self.first_error,
            requests_per_second=calls / wall,
            p50_ms=ordered[len(ordered) // 2] * 1000,
            p99_ms=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000,
            server_cpu_us=server / max(calls, 1) * 1e6,
            database_cpu_us=database / max(calls, 1) * 1e6,
            load_share=load / wall,
        )

    @property
    def cpu_seconds(self) -> float:
        """What this program itself spent in the window."""
        return self._end[1] - self._begin[1]

    def _clocks(self) -> tuple[float, float, float, float]:
        """Wall time, this program's CPU, the server's and the database's, in seconds."""
        database = family(self.database)
        server = {one: cpu for one, cpu in family(self.server).items() if one not in database}
        return time.perf_counter(), time.process_time(), sum(server.values()), sum(database.values())


def family(ids: Sequence[int]) -> dict[int, float]:
    """CPU seconds of these programs and of every program they started, by id."""
    seconds: dict[int, float] = {}
    for root in ids:
        parent = psutil.Process(root)
        times = parent.cpu_times()
        seconds[root] = times.user + times.system + times.children_user + times.children_system
        for child in parent.children(recursive=True):
            try:
                child_times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds[child.pid] = child_times.user + child_times.system
    return seconds
