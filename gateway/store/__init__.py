"""The only SQL of the project. Says which errors a user of the store meets; the rooms are imported one by one."""

from gateway.store.errors import StoreRefused, StoreUnavailable

__all__ = ["StoreRefused", "StoreUnavailable"]
