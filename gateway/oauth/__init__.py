"""Tokens of vendors: asked for, checked, compared, sealed, refreshed. Sends only by the door that it is handed.

answer.py      what a vendor's token answer says, and what to do where it says no
asking.py      one vendor as one clinic meets it: the questions, generic; by_google_auth.py and by_msal.py through an SDK
aside.py       SDKs in threads of their own, imported there, and the way back to the door
page.py        the address that a person is sent to: PKCE, state, nonce
identity.py    whose answer it is: the ID token
comparison.py  what was asked, granted, needed
clients.py     the gateway's registrations at vendors
attempts.py    who is about to connect, in which browser, once
tokens.py      the tokens of connections, opened for calls; turns.py: one gateway at a time
changes.py     what all this changes about a connection, with its ledger entry
"""
