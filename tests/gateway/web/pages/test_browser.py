"""What is decided about a browser before any page: its cookies, its address, where it may be sent."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from gateway.web.browser import Cookies, address_of, device_of, own_path


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw, "client": ("10.0.0.9", 1)})


def test_over_https_a_cookie_is_bound_to_its_host_and_kept_from_scripts() -> None:
    cookies = Cookies(secure=True)
    written = cookies.written(cookies.session, "token")
    assert written == "__Host-gateway=token; Path=/; HttpOnly; Secure; SameSite=Lax"
    assert "Domain" not in written
    assert cookies.written(cookies.session, None).endswith("Max-Age=0")


def test_only_a_session_that_may_be_framed_is_sent_in_a_frame_and_kept_apart_per_site() -> None:
    cookies = Cookies(secure=True)
    assert "SameSite=None; Partitioned" in cookies.written(cookies.session, "token", embedded=True)
    plain = Cookies(secure=False)
    assert "SameSite=Lax" in plain.written(plain.session, "token", embedded=True)


@pytest.mark.parametrize(
    ("proxies", "passed", "address"),
    [(0, "1.2.3.4", "10.0.0.9"), (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"), (2, "6.6.6.6, 1.2.3.4, 10.1.1.1", "1.2.3.4"),
     (2, "1.2.3.4", "10.0.0.9"), (1, "", "10.0.0.9")],
)  # fmt: skip
def test_an_address_is_what_the_last_of_our_own_proxies_saw(proxies: int, passed: str, address: str) -> None:
    assert address_of(request(x_forwarded_for=passed), proxies=proxies) == address


@pytest.mark.parametrize("path", ["/", "/settings", "/auditor?since=2026-01-01&q=a%20b", "/team/1/remove"])
def test_a_path_of_ours_is_taken(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", None, "settings", "//evil", "/\\evil", "/a//b", "https://evil/", "/a\nb", "/a b", "/é", "/" + "a" * 600],
)
def test_any_other_address_is_not(path: str | None) -> None:
    assert own_path(path) is None


def test_a_device_is_told_in_our_words_whatever_it_says() -> None:
    assert device_of(request(user_agent="<script>Ada Lovelace's telephone")) == "Another browser on another system"
    assert device_of(request(user_agent="Mozilla/5.0 (X11; Linux) Chrome/1 Safari/1")) == "Chromium on Linux"
