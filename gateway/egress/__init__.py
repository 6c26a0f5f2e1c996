"""The only door out: named hosts, checked addresses, bounded answers, one way to repeat. Keeps no credential.

door.py       the door, and one disclosure's passage through it
route.py      where a connector may go        credential.py  the header that a secret becomes
letter.py     what may leave, header by header
stream.py     a body that is made while it is sent
address.py    which addresses are public      book.py        names resolved once, every address checked
engine.py     the one file that knows the HTTP engine
transfers.py  carries the engine's transfers on the loop
answer.py     what may come in                repeat.py      when an attempt is made again
"""

from gateway.egress.book import Resolver, resolve_by_system
from gateway.egress.credential import Credential
from gateway.egress.door import Door, Hook, Passage
from gateway.egress.engine import CurlEngine
from gateway.egress.letter import Engine, Letter, Limits, Received, Target
from gateway.egress.refused import RequestRefused
from gateway.egress.route import Route

__all__ = [
    "Credential",
    "CurlEngine",
    "Door",
    "Engine",
    "Hook",
    "Letter",
    "Limits",
    "Passage",
    "Received",
    "RequestRefused",
    "Resolver",
    "Route",
    "Target",
    "resolve_by_system",
]
