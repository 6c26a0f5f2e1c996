"""Who calls: API keys and hosts' tokens. People who sign in to pages are not here.

callers.py    finds the actor behind a bearer token, and remembers it for a while
api_key.py    the form of an API key, and its hash
token.py      what makes a host's token genuine
link.py       what makes a host's one-time link for a person genuine
issue.py      makes and revokes keys, trusts issuers; each with its ledger entry
"""

from gateway.callers.api_key import ApiKey
from gateway.callers.callers import Callers
from gateway.callers.issue import Issued

__all__ = ["ApiKey", "Callers", "Issued"]
