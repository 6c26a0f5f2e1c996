"""How hypothesis runs here: a busy machine is no reason to fail. Shapes and payloads are in shapes.py."""

from hypothesis import settings

settings.register_profile("scopes", deadline=None)
settings.load_profile("scopes")
