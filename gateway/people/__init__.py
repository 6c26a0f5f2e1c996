"""People who sign in to the pages: who they are, how they prove it, what they may do. Hosts' software is in callers/.

people.py       puts the rest together: one per gateway
roles.py        what each role may do                    accounts.py    accounts, names, who belongs to a clinic
sessions.py     from sign-in to sign-out                 password.py    Argon2id, and what is no password
totp.py         codes by time                            recovery.py    codes for when everything else is lost
passkeys.py     WebAuthn                                 challenges.py  what a browser was asked, once
throttle.py     who tries too often waits                invitations.py one clinic, one address, one role, once
vouching.py     whom a clinic's own systems vouch for    links.py       one-time links that a host signs
oidc.py         what makes an OpenID provider's word genuine
"""

from gateway.people.people import People
from gateway.people.roles import Role
from gateway.people.sessions import Session

__all__ = ["People", "Role", "Session"]
