"""How the embedded server is set: durable before fast, and with a log that holds no value of a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PORT = 5432
USER = "gateway"
DATABASE = "gateway"

SERVER: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "timezone": "UTC",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",
    "autovacuum": "on",
    "jit": "off",
    # Parallel queries need /dev/shm, of which containers have little; running out of it looks like a full disk.
    "max_parallel_workers_per_gather": "0",
    # The message of an error may quote the value it is about, so errors are not logged here at all, only told to the
    # client: for the server's log `log` ranks above them. What remains is the server's own starting, stopping and
    # crashing, without details.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """What an operator may choose."""

    account: str | None = None  # root only: as whom a new cluster's server runs; `postgres` or `nobody` by default
    start_seconds: float = 60.0  # recovering after a crash takes its time
    stop_seconds: float = 60.0
    server: Mapping[str, str] = field(default_factory=dict)  # settings of the server that replace those above
