"""Pages about people: signing in, one's account, the team, API keys, and where each role begins."""

from gateway.web.page import Tab
from gateway.web.pages import account, elsewhere, home, invitation, keys, sign_in, team
from scopes.scope import Area, Scope, Verb

PAGES = (
    *home.PAGES,
    *sign_in.PAGES,
    *elsewhere.PAGES,
    *invitation.PAGES,
    *account.PAGES,
    *team.PAGES,
    *keys.PAGES,
)
TABS = (
    Tab("Team", "/team", "team", Scope(Area.PEOPLE, Verb.READ)),
    Tab("API keys", "/keys", "key", Scope(Area.KEYS, Verb.READ)),
)
