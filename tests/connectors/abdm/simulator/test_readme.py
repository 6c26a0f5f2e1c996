"""What the simulator's README says exists: each quirk, each path to drive it by."""

import re
from pathlib import Path

from connectors.abdm.simulator import drive
from connectors.abdm.simulator.network import Network
from connectors.abdm.simulator.quirks import ABOUT

README = (Path(drive.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_each_quirk_as_the_switch_describes_itself() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", README, re.MULTILINE))

    assert told == {name: what for name, (_, what) in ABOUT.items()}


def test_the_readme_names_only_paths_that_can_be_driven() -> None:
    patterns = [route.path_regex for route in drive.ROUTES]
    named = {re.sub(r"\{\w+\}", "x", path) for path in re.findall(r"/sim/[\w/{}]+", README)}

    assert len(named) > 15
    assert {path for path in named if not any(each.match(path) for each in patterns)} == set()


def test_the_readme_names_only_verbs_that_the_network_has() -> None:
    paragraph = README.partition("`Network` has")[2].partition("\n\n")[0]
    verbs = set(re.findall(r"`([a-z_]+)`", paragraph))

    assert {verb for verb in verbs if not callable(getattr(Network, verb, None))} == set()
