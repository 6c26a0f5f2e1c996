"""Look at a page as everybody may see it: light and dark, on a telephone and on a desk. What is wrong with it, in words."""

from __future__ import annotations

from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

WIDTHS: Final = (1440, 360)
_HEIGHT: Final = 900
_TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RULES: Final[dict[str, Any]] = {"runOnly": list(_TAGS), "resultTypes": ["violations"], "preload": False}
# The dark scheme changes colours and nothing else (a test sees to that), so the other rules find nothing more in it.
_COLOURS: Final[dict[str, Any]] = {
    **_RULES,
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
SCHEMES: Final[tuple[tuple[Any, dict[str, Any]], ...]] = (("light", _RULES), ("dark", _COLOURS))
_OPEN: Final = "document.querySelectorAll('main details').forEach(each => { each.open = true; })"
_WIDE: Final = (
    "() => [document.documentElement.scrollWidth].filter(it => it > innerWidth).map(it => `it is ${it} wide`)"
)
# An id that is there twice; then of siblings of one kind the fourth is like those before: axe takes its time for each.
_THINNED: Final = """() => {
  const ids = [...document.querySelectorAll('[id]')].map(each => each.id);
  window.thinned = [];
  const within = ['DT', 'DD', 'TD', 'TH', 'OPTION', 'INPUT', 'LABEL'];
  const kind = each => `${each.tagName}.${each.getAttribute('class') ?? ''}`;
  for (const parent of document.querySelectorAll('main *')) {
    const counts = {};
    for (const each of [...parent.children]) {
      counts[kind(each)] = (counts[kind(each)] ?? 0) + 1;
      if (counts[kind(each)] > 3 && !each.closest('svg') && !within.includes(each.tagName)) {
        window.thinned.push([parent, each, each.nextSibling]);
        each.remove();
      }
    }
  }
  return ids.filter((each, at) => ids.indexOf(each) !== at).map(each => `the id ${each} is there twice`);
}"""
_RESTORED: Final = "window.thinned.reverse().forEach(([parent, each, next]) => parent.insertBefore(each, next))"
_AXE: Final = "async it => (await axe.run(it)).violations.map(each => `${each.id} ${each.nodes.map(it => it.target)}`)"


async def wrong_with(page: Page, name: str) -> list[str]:
    """What axe and a ruler find, in every look; whatever can be opened is open."""
    await page.evaluate(_OPEN)
    found = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": _HEIGHT})
        found += [f"{name}, {width}: {each}" for each in await page.evaluate(_WIDE)]
    found += [f"{name}: {each}" for each in await page.evaluate(_THINNED)]
    await page.evaluate(AXE_SCRIPT)
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": _HEIGHT})
        for scheme, rules in SCHEMES:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{name}, {width}, {scheme}: {each}" for each in await page.evaluate(_AXE, rules)]
    await page.evaluate(_RESTORED)
    return found
