"""The registry: what it finds, what it refuses and how it says so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.checks import RegistryError
from connectors.errors import Rejected
from connectors.folder import HERE
from connectors.registry import Registry, UnknownAction
from connectors.scaffold import write_connector
from scopes.agreement import Need
from scopes.consent import Channel
from scopes.vocabulary import Category, Purpose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder in a root of its own, to be spoiled."""
    write_connector(tmp_path / "written", "labs/one")
    # Elsewhere, since a module that has been imported is not read again.
    shutil.copytree(tmp_path / "written", tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copied" / "labs" / "one"


def refused(folder: Path) -> RegistryError:
    with pytest.raises(RegistryError) as raised:
        Registry.load([folder.parent.parent])
    error = raised.value
    assert error.file.name in str(error)
    assert error.key in str(error)
    assert error.fix in str(error)
    return error


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_stripe_is_found_without_being_listed() -> None:
    registry = Registry.load()
    action = registry.action("payments/stripe", "refund")
    assert action.path == "payments/stripe/refund"
    assert action.feature == "refunds"
    assert action.purposes == {Purpose.HPAYMT}
    assert action.shape.categories == {Category.IDENTIFIER, Category.BILLING}
    assert action.rule.required_paths == {"reference", "payment"}
    assert action.rule.recipient == "Stripe, Inc."


def test_an_action_says_what_consent_and_agreement_it_needs(folder: Path) -> None:
    spoil(folder, "manifest.toml", 'service = "api"', 'service = "api"\nchannel = "email"')
    rule = Registry.load([folder.parent.parent]).action("labs/one", "send").rule
    assert (rule.channel, rule.service, rule.agreement) == (Channel.EMAIL, "api", Need.ALWAYS)
    assert (rule.recipient_id, rule.regions) == ("labs/one", {"DE"})
    spoil(folder, "manifest.toml", 'service = "api"', "agreement_needed = false")
    shutil.copytree(folder.parent.parent, folder.parents[2] / "anew", ignore=shutil.ignore_patterns("__pycache__"))
    assert Registry.load([folder.parents[2] / "anew"]).action("labs/one", "send").rule.agreement is Need.NEVER


def test_a_payment_needs_no_agreement_and_no_consent() -> None:
    for action in Registry.load().connector("payments/stripe").actions.values():
        assert (action.rule.agreement, action.rule.channel) == (Need.NEVER, None)


def test_a_family_of_one_vendor_stands_for_it() -> None:
    registry = Registry.load()
    assert registry.action("payments", "refund") is registry.action("payments/stripe", "refund")
    assert registry.connector("payments") is registry.connector("payments/stripe")
    assert [connector.id for connector in registry.family("payments")] == ["payments/stripe"]
    assert registry.family("no_such_family") == ()


def test_a_family_of_two_vendors_must_be_told_apart(tmp_path: Path) -> None:
    write_connector(tmp_path, "payments/acme_pay")
    registry = Registry.load([HERE, tmp_path])
    with pytest.raises(UnknownAction) as unknown:
        registry.action("payments", "refund")
    assert unknown.value.close == ("payments/acme_pay", "payments/stripe")


@pytest.mark.parametrize(
    ("connector", "action", "close"),
    [
        ("payments/stripe", "refnd", "payments/stripe/refund"),
        ("payments/strip", "refund", "payments/stripe"),
        ("payment", "refund", "payments"),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_look_like_it(connector: str, action: str, close: str) -> None:
    with pytest.raises(UnknownAction) as unknown:
        Registry.load().action(connector, action)
    assert close in unknown.value.close
    assert close in str(unknown.value)


def test_an_unknown_name_is_not_repeated() -> None:
    with pytest.raises(UnknownAction) as unknown:
        Registry.load().action("payments/stripe", "Jane Roe")
    assert "Jane" not in str(unknown.value)


def test_what_is_loaded_does_not_change() -> None:
    registry = Registry.load()
    with pytest.raises(TypeError):
        registry.connectors["x"] = registry.connector("payments")  # type: ignore[index]
    with pytest.raises(TypeError):
        registry.connector("payments").actions["x"] = registry.action("payments", "refund")  # type: ignore[index]
    with pytest.raises(AttributeError):
        registry.action("payments", "refund").name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "key", "fix"),
    [
        ("[limits]", "[limitz]", "limits", "required"),
        ('title = "Send"', 'title = "Send"\ncolour = "red"', "features.send.colour", "unknown key"),
        ('purposes = ["HOPERAT"]', "purposes = []", "actions.send.purposes", "at least 1"),
        ('purposes = ["HOPERAT"]', "", "actions.send.purposes", "required"),
        ('purposes = ["HOPERAT"]', 'purposes = ["HMARKT"]', "actions.send.purposes", "HMARKT"),
        ('purposes = ["HOPERAT"]', 'purposes = ["FUN"]', "actions.send.purposes.0", "TREAT"),
        ('actions = ["send"]', 'actions = ["sent"]', "features.send.actions", "'sent'"),
        ('actions = ["send"]', 'actions = ["send", "send"]', "features.send.actions", "already"),
        ("[actions.send]", "[actions.sent]", "features.send.actions", "'send'"),
        ('repeat = "always"', 'repeat = "often"', "actions.send.repeat", "always"),
        (
            'api_base = "https://api.one',
            'api_base = "https://api.two',
            "(whole file)",
            "add 'api.two.example' to hosts",
        ),
        ('api_base = "https', 'api_base = "http', "(whole file)", "must be https"),
        ('role = "processor"', 'role = "friend"', "recipient.role", "processor"),
        ('country = "DE"', 'country = "Germany"', "recipient.country", "pattern"),
        ('title = "One"', 'id = "labs/two"\ntitle = "One"', "id", "take it out"),
        ('title = "One"', "title =", "(whole file)", "TOML"),
        ('repeat = "always"', 'repeat = "always"\nprovider_scopes = [["w"]]', "provider_scopes.w", "declare it"),
        ('repeat = "always"', 'repeat = "always"\nprovider_scopes = [[]]', "actions.send.provider_scopes", "never met"),
        ('service = "api"', 'service = "fax"', "actions.send.service", "add it there"),
        ('service = "api"', "", "actions.send.service", "which of agreements.services"),
        ('service = "api"', 'channel = "pigeon"', "actions.send.channel", "sms"),
        (
            'hosts = ["api.one.example"',
            'hosts = ["www.google-analytics.com", "api.one.example"',
            "hosts",
            "advertising or tracking",
        ),
        (
            'hosts = ["api.one.example"',
            'hosts = ["googleads.googleapis.com", "datamanager.googleapis.com", "api.one.example"',
            "hosts",
            "'googleads.googleapis.com'",
        ),
        (
            'repeat = "always"',
            'repeat = "always"\nprovider_scopes = [["https://www.googleapis.com/auth/adwords"]]\n'
            '[provider_scopes."https://www.googleapis.com/auth/adwords"]\ntitle = "Ads"',
            "provider_scopes.https://www.googleapis.com/auth/adwords",
            "advertising or tracking",
        ),
        (
            'repeat = "always"',
            'repeat = "always"\nprovider_scopes = [["https://www.googleapis.com/auth/datamanager"]]\n'
            '[provider_scopes."https://www.googleapis.com/auth/datamanager"]\ntitle = "Ads"',
            "provider_scopes.https://www.googleapis.com/auth/datamanager",
            "advertising or tracking",
        ),
        (
            'repeat = "always"',
            'repeat = "always"\n[provider_scopes.w]\ntitle = "Write"',
            "provider_scopes.w",
            "take it out",
        ),
        (
            'repeat = "always"',
            'repeat = "always"\nprovider_scopes = [["w"]]\n[provider_scopes.w]\ntitle = "Write"\nincludes = ["r"]',
            "provider_scopes.w.includes",
            "'r'",
        ),
        (
            'repeat = "always"',
            'repeat = "always"\nprovider_scopes = [["w"]]\n[provider_scopes.w]\ntitle = "Write"\nincludes = ["w"]',
            "provider_scopes",
            "itself",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_by_file_key_and_fix(folder: Path, old: str, new: str, key: str, fix: str) -> None:
    spoil(folder, "manifest.toml", old, new)
    error = refused(folder)
    assert error.file.name == "manifest.toml"
    assert error.key == key
    assert fix in error.fix


def test_a_wider_scope_that_includes_a_needed_one_is_no_surplus(folder: Path) -> None:
    scopes = '[provider_scopes.all]\ntitle = "All"\nincludes = ["w"]\n[provider_scopes.w]\ntitle = "Write"'
    spoil(folder, "manifest.toml", 'repeat = "always"', f'repeat = "always"\nprovider_scopes = [["w"]]\n{scopes}')
    lattice = Registry.load([folder.parent.parent]).connector("labs/one").lattice
    assert lattice.includes({"all"}, "w")
    assert not lattice.includes({"w"}, "all")


@pytest.mark.parametrize(
    ("file", "old", "new", "key"),
    [
        ("client.py", "async def send(", "async def sent(", "actions.sent"),
        ("client.py", "async def send(", "def send(", "(import)"),
        ("client.py", "async def send(", "send = None\n\n\nasync def _other(", "send"),
        ("client.py", "fields: Send,", "fields: dict[str, Any],", "send"),
        ("client.py", "fields: Send, egress", "egress: Egress, fields", "send"),
        ("client.py", "import orjson", "import no_such_package", "(import)"),
        ("../actions.py", '"send": Exchange', '"sent": Exchange', "actions.send"),
        ("../actions.py", "ACTIONS: Final =", "MODELS: Final =", "ACTIONS"),
        ("../actions.py", "Exchange(Send, Sent)}", "Send}", "ACTIONS"),
        (
            "../actions.py",
            "reference: Annotated[OpaqueReference, ",
            "reference: Annotated[dict[str, str], ",
            "(models)",
        ),
        ("../actions.py", "reference: Annotated[OpaqueReference, ", "reference: Annotated[object, ", "(models)"),
    ],
)
def test_code_that_does_not_fit_its_manifest_is_refused(folder: Path, file: str, old: str, new: str, key: str) -> None:
    spoil(folder, file, old, new)
    assert refused(folder).key == key


@pytest.mark.parametrize("file", ["client.py", "callback.py", "../actions.py"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert refused(folder).file.name == Path(file).name


def test_an_action_in_code_that_is_not_declared_is_refused(folder: Path) -> None:
    with (folder / "client.py").open("a") as client:
        client.write("\n\nasync def leak(fields: Send, egress: Egress) -> None:\n    pass\n")
    assert refused(folder).key == "actions.leak"


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (
            'note: Annotated[str | None, discloses(Category.FREE_TEXT, "a word")] = None',
            "free_text is not for this family",
        ),
        ('note: Annotated[str | None, discloses(Category.CLINICAL, "why")] = None', "clinical is not for this family"),
        ('mail: Annotated[str, discloses(Category.CONTACT, "where to")]', "contact must be optional"),
    ],
)
def test_a_payment_vendor_is_told_nothing_about_health(tmp_path: Path, declared: str, why: str) -> None:
    """The family's rule holds for a vendor's own models too."""
    write_connector(tmp_path, "payments/acme_pay")
    folder = tmp_path / "payments" / "acme_pay"
    (folder / "actions.py").write_text(
        "from typing import Annotated\n"
        "from connectors.contract import Exchange\n"
        "from connectors.payments import actions as family\n"
        "from scopes.field import Disclosed, discloses\n"
        "from scopes.vocabulary import Category\n"
        f"class CreateCustomer(family.CreateCustomer):\n    {declared}\n"
        "ACTIONS = {'create_customer': Exchange(CreateCustomer, family.Customer)}\n"
        "CONTENT = None\n"
    )
    spoil(folder, "client.py", "    CreateCustomer,\n", "")
    spoil(
        folder,
        "client.py",
        "from connectors.wire import",
        "from .actions import CreateCustomer\nfrom connectors.wire import",
    )
    error = refused(folder)
    assert error.file == folder / "actions.py"
    assert why in error.fix


def test_a_base_address_among_advertising_is_refused_where_the_host_has_other_services_too(folder: Path) -> None:
    spoil(folder, "manifest.toml", 'hosts = ["api.one.example"]', 'hosts = ["www.googleapis.com"]')
    spoil(folder, "manifest.toml", '"https://api.one.example"', '"https://www.googleapis.com/analytics/v3"')
    assert refused(folder).key == "api_base"


def test_whatsapps_api_is_no_place_of_advertising_though_metas_advertising_is_at_the_same_host(folder: Path) -> None:
    spoil(folder, "manifest.toml", 'hosts = ["api.one.example"]', 'hosts = ["graph.facebook.com"]')
    spoil(folder, "manifest.toml", '"https://api.one.example"', '"https://graph.facebook.com/v23.0"')
    Registry.load([folder.parent.parent])


def test_no_action_of_stripe_can_say_anything_about_health() -> None:
    about_health = {Category.CLINICAL, Category.MEDICATION, Category.RESULT, Category.IMAGING, Category.APPOINTMENT}
    connector = Registry.load().connector("payments/stripe")
    assert connector.content is not None
    assert not connector.content.categories & (about_health | {Category.FREE_TEXT, Category.IDENTITY})
    for action in connector.actions.values():
        assert action.shape.categories <= connector.content.categories


def test_one_id_in_two_roots_is_refused(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_connector(tmp_path / place, "labs/one")
    with pytest.raises(RegistryError, match="rename one folder"):
        Registry.load([tmp_path / "a", tmp_path / "b"])


def test_loading_everything_is_quick_and_imports_no_vendor_s_package() -> None:
    """A fresh interpreter, so that nothing is imported already; the limit has room for a machine that is slow and busy."""
    script = (
        "import sys, time, pydantic\n"
        "start = time.process_time()\n"
        "from connectors.registry import Registry\n"
        "Registry.load()\n"
        "print(time.process_time() - start)\n"
        "print([name for name in sys.modules if name in {'stripe', 'requests', 'httpx2', 'starlette', 'aiohttp'}])\n"
    )
    ran = [
        subprocess.run([sys.executable, "-c", script], cwd=HERE.parent, capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    seconds = min(float(each.stdout.splitlines()[0]) for each in ran)
    assert seconds < 1.5, f"{seconds:.3f} s"
    assert ran[0].stdout.splitlines()[1] == "[]"


def test_an_inner_action_is_to_a_host_as_if_there_were_none() -> None:
    registry = Registry.load()
    assert registry.action("abdm", "link_contexts").inner
    with pytest.raises(UnknownAction) as inner:
        registry.offered("abdm", "link_contexts")
    with pytest.raises(UnknownAction) as unknown:
        registry.offered("abdm", "link_kontexts")
    assert str(inner.value) == str(unknown.value)
    assert inner.value.close == unknown.value.close == ()
    assert [action.name for action in registry.offered("abdm", "read_profile")] == ["read_profile"]


def test_names_that_look_like_an_unknown_one_are_names_that_a_host_may_call() -> None:
    with pytest.raises(UnknownAction) as unknown:
        Registry.load().offered("abdm", "answer_consents")
    assert "answer_consent" not in str(unknown.value)


async def test_what_goes_elsewhere_leaves_by_no_client() -> None:
    action = Registry.load().action("abdm", "push_record")
    assert action.elsewhere
    with pytest.raises(Rejected) as refused:
        await action.perform(None, None)  # type: ignore[arg-type]
    assert refused.value.code == "made_by_a_flow"


def test_an_action_that_goes_elsewhere_is_an_inner_one(folder: Path) -> None:
    spoil(folder, "manifest.toml", 'repeat = "always"', 'repeat = "always"\nelsewhere = true')
    assert "inner" in refused(folder).fix


SESSION = """\
kind = "session"
apply = "bearer"
account_needed = true
account_pattern = "[A-Z]+"
account_example = "ABC"
[credential.session]
setting = "place"
[credential.session.bases]
one = "https://api.one.example"
[settings.place]
title = "Which of the places"
pattern = "one|two"
example = "one"
"""


def in_session(folder: Path, old: str = "", new: str = "") -> None:
    """The good folder, with the gateway's session in place of a key."""
    file = folder / "manifest.toml"
    head, _, rest = file.read_text().partition("[credential]\n")
    after = rest[rest.index("\n[callback]") :] if "\n[callback]" in rest else rest[rest.index("\n[limits]") :]
    text = f"{head}[credential]\n{SESSION}{after}"
    assert old in text
    file.write_text(text.replace(old, new) if old else text)


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ('kind = "session"', 'kind = "api_key"', "belongs to kind"),
        ('apply = "bearer"', 'apply = "basic"', "bearer token"),
        ("account_needed = true\n", "", "many clinics"),
        ('setting = "place"', 'setting = "town"', "'town'"),
        ('example = "one"\n', 'example = "one"\nneeded = false\n', "as needed"),
        ('one = "https://api.one.example"', 'one = "http://api.one.example"', "https on one of hosts"),
        ('one = "https://api.one.example"', 'one = "https://else.example"', "https on one of hosts"),
        ('one = "https://api.one.example"', 'three = "https://api.one.example"', "'three'"),
        ('one = "https://api.one.example"', 'one = "https://api.one.example/v2"', "api_base must be one"),
    ],
)
def test_a_session_that_is_not_declared_whole_is_refused(folder: Path, old: str, new: str, fix: str) -> None:
    in_session(folder, old, new)
    assert fix in refused(folder).fix


def test_who_has_a_session_has_a_module_that_knows_the_network_s_form(folder: Path) -> None:
    in_session(folder)
    assert refused(folder).file.name == "network.py"


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("", "PREFIX"),
        ("PREFIX = '/x'\n", "bridge_request"),
        ("PREFIX = '/x'\ndef bridge_request(base_url): ...\n", "bridge_request"),
    ],
)
def test_a_network_s_module_that_lacks_something_is_refused(folder: Path, code: str, key: str) -> None:
    (folder / "network.py").write_text(code)
    error = refused(folder)
    assert (error.file.name, error.key) == ("network.py", key)


def test_a_session_s_base_is_that_of_the_environment() -> None:
    session = Registry.load().connectors["abdm"].manifest.credential.session
    assert session is not None
    assert session.base_of("sbx") == "https://dev.abdm.gov.in"
    assert session.base_of("abdm") == "https://apis.abdm.gov.in"
    with pytest.raises(KeyError):
        session.base_of("production")
