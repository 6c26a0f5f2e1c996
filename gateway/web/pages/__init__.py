"""Pages about people: signing in, one's account, the team, API keys, and where each role begins."""

from gateway.web.pages import home, sign_in

PAGES = (*home.PAGES, *sign_in.PAGES)
TABS = ()
