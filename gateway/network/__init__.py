"""One registration at a network of health records for every clinic. Sends only by the door that it is handed.

lines.py       the environments of networks
sessions.py    the gateway's session: one token for all clinics and processes; logs in seldom, and never in a loop
asking.py      ask the network something in that session
keys.py        the network's public keys, by their ids
facilities.py  whose each facility is
inbox.py       a letter as it is kept until it is worked off
drift.py       what the network has on file about us, compared with what we are
room.py        the parts of this room, put together
artefacts.py   patients' consents at a network
asked.py       what somebody asked for who wants records
"""
