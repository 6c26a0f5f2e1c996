"""PostgreSQL in a data folder, without installing it. Says what others use; nothing else in here is meant for them."""

from gateway.store.embedded.settings import EmbeddedSettings
from gateway.store.embedded.share import Embedded

__all__ = ["Embedded", "EmbeddedSettings"]
