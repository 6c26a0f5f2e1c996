"""An auditor's way in a real browser: a call is made, found, opened, verified; changed bytes fail; what is taken home holds."""

from __future__ import annotations

import asyncio
import random
import sys
import zipfile
from asyncio.subprocess import PIPE, STDOUT
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from gateway.calls import Actor
from gateway.ledger.checkpoint import Checkpoint, Signer
from gateway.ledger.merkle import Edge, inclusion_plan, leaf_hash, root_of
from gateway.people import Role
from tests.acceptance.served import Caller, Served, gateway
from tests.gateway.egress.vendor import Vendor, answer
from tests.gateway.house import PAYMENT

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "correct horse battery staple"
REFERENCE = "pat_4Km8QwT3"
CALL: dict[str, Any] = {
    "connector": "payments", "action": "create_payment_intent", "purpose": "HPAYMT", "subject": REFERENCE,
    "payload": {"reference": "inv_7Hq2ZkW9", "amount_minor": 4250, "currency": "eur"},
}  # fmt: skip


@dataclass
class Audit:
    """A clinic that calls, and an auditor's browser before its gateway."""

    served: Served
    clinic: Caller
    browser: Browser
    url: str
    email: str
    contexts: list[BrowserContext]

    @property
    def vkey(self) -> str:
        """The log's key, as the auditor got it on day one."""
        return self.served.house.rooms.proofs.signer(self.clinic.tenant).vkey

    async def call(self, **given: Any) -> str:
        """One call; gives the disclosure's id."""
        told = await self.clinic.post("/v1/calls", {**CALL, **given})
        return str(told.json().get("id", ""))

    async def page(self, *, scripts: bool = True, scheme: Any = "light", width: int = 1440) -> Page:
        """A page of an auditor who has signed in."""
        context = await self.browser.new_context(
            base_url=self.url,
            java_script_enabled=scripts,
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
        )
        self.contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda said: pytest.fail(said.text) if "Content Security Policy" in said.text else None)
        page.on("pageerror", lambda failure: pytest.fail(str(failure)))
        await page.goto("/sign-in")
        await page.get_by_label("E-mail address").fill(self.email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/auditor")
        return page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(module_dsn: str, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> AsyncIterator[Served]:
    vendor = Vendor(answers=[answer(200, orjson.dumps(PAYMENT))])
    await vendor.open()
    sandboxes = {"payments/stripe": f"http://127.0.0.1:{vendor.port}"}
    async with gateway(module_dsn, tmp_path_factory.mktemp("auditor"), sandboxes=sandboxes) as served:
        yield served
    vendor.close()


@pytest_asyncio.fixture(loop_scope="session")
async def audit(served: Served, browser: Browser) -> AsyncIterator[Audit]:
    clinic, people = await served.clinic("Riverside Clinic"), served.house.rooms.people
    await clinic.connect("payments", "rk_test_0123456789abcdef", features=["card_payments"])
    email = f"{uuid4().hex}@clinic.example"
    person = await people.accounts.create("Anouk Reyes", email=email, password=PASSWORD)
    await people.accounts.join(Actor("system", "test", clinic.tenant, ()), person, Role.AUDITOR)
    audit = Audit(served, clinic, browser, served.url.replace("127.0.0.1", "localhost"), email, [])
    yield audit
    for context in audit.contexts:
        await context.close()


async def verified(page: Page, key: str = "") -> str:
    """Press the button; gives what the page says in the end."""
    await page.get_by_label("The key that you kept").fill(key)
    await page.get_by_role("button", name="Verify", exact=True).click()
    result = page.locator("[data-result]")
    await expect(result).not_to_be_empty()
    await expect(page.get_by_role("button", name="Verify", exact=True)).to_be_enabled()
    return await result.inner_text()


async def failing(page: Page) -> str:
    """The step that fails, with its number."""
    places = await page.locator(".proof-steps > li").all()
    bad = [number for number, each in enumerate(places, start=1) if "bad" in (await each.get_attribute("class") or "")]
    assert len(bad) == 1
    return f"{bad[0]} {await places[bad[0] - 1].inner_text()}"


async def test_a_call_is_seen_opened_and_verified_with_the_key_that_was_kept(audit: Audit) -> None:
    for _ in range(4):
        await audit.call()
    one = await audit.call()
    page = await audit.page()
    await page.bring_to_front()
    await page.keyboard.press("j")
    await expect(page.locator(f"a[href='/auditor/disclosures/{one}']")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.get_by_label("Recipient", exact=True)).to_be_focused()
    await page.locator("h1").click()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/auditor/disclosures/{one}")
    assert "Compare it with the one that you kept" in await verified(page)
    assert await verified(page, audit.vkey) == (
        "All 2 entries stand in the log as shown, signed with the key that you kept."
    )
    steps = page.locator(".proof-steps > li")
    assert await steps.count() == 14
    assert await page.locator(".proof-steps > li.good").count() == 14
    body = (await audit.clinic.get(f"/v1/disclosures/{one}")).json()["entries"][0]
    raw = orjson.dumps(body["entry"], option=orjson.OPT_SORT_KEYS)
    assert leaf_hash(raw).hex() in await steps.nth(1).inner_text()
    await page.reload()
    await expect(page.get_by_label("The key that you kept")).to_have_value(audit.vkey)


def _flip(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def _proof(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def changed(raw: bytes) -> bytes:
        proof = orjson.loads(raw)
        change(proof)
        return orjson.dumps(proof)

    return changed


def _root(proof: dict[str, Any]) -> None:
    lines = proof["checkpoint"].split("\n")
    lines[2] = b64encode(bytes(32)).decode()
    proof["checkpoint"] = "\n".join(lines)


def _signature(proof: dict[str, Any]) -> None:
    head, _, encoded = proof["checkpoint"].rstrip("\n").rpartition(" ")
    flipped = ("A" if encoded[40] != "A" else "B").join((encoded[:40], encoded[41:]))
    proof["checkpoint"] = f"{head} {flipped}\n"


def _sibling(proof: dict[str, Any]) -> None:
    proof["hashes"][0] = b64encode(bytes(32)).decode()


def _other_log(proof: dict[str, Any]) -> None:
    """A whole other log, signed by its own key: everything agrees with itself."""
    forged = Signer(proof["checkpoint"].split("\n")[0], Ed25519PrivateKey.generate())
    leaves = [b64decode(proof["leaf"])]
    proof.update(index=proof["index"], key=forged.vkey)
    size, index = proof["index"] + 1, proof["index"]
    tree = [bytes(32)] * index + leaves
    edge = Edge()
    edge.extend(tree)
    hashes = {(0, place): leaf for place, leaf in enumerate(tree)}
    proof["hashes"] = [b64encode(each).decode() for each in inclusion_plan(index, size).build(hashes)]
    proof["size"] = size
    proof["checkpoint"] = forged.sign(Checkpoint(forged.name, size, root_of(tree)))


TAMPERED: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a byte of the entry": ("bytes", lambda raw: raw.replace(b"HPAYMT", b"HPAYMU"), "2 Their hash"),
    "the entry's first byte": ("bytes", lambda raw: _flip(raw, 0), "1 The stored bytes"),
    "the entry cut short": ("bytes", lambda raw: raw[:-1], "1 The stored bytes"),
    "the recorded leaf": ("proof", _proof(lambda p: p.update(leaf=b64encode(bytes(32)).decode())), "2 Their hash"),
    "a hash of the proof": ("proof", _proof(_sibling), "4 From the hash to the root"),
    "a hash left out": ("proof", _proof(lambda p: p["hashes"].pop()), "4 From the hash to the root"),
    "the root of the checkpoint": ("proof", _proof(_root), "4 From the hash to the root"),
    "the signature": ("proof", _proof(_signature), "6 The signature"),
    "the key": ("proof", _proof(lambda p: p.update(key=p["key"].replace("+", "+0", 1))), "5 The key"),
    "the size": ("proof", _proof(lambda p: p.update(size=p["size"] + 1)), "3 The checkpoint"),
    "no note": ("proof", _proof(lambda p: p.update(checkpoint="x")), "3 The checkpoint"),
    "not JSON": ("proof", lambda raw: raw[:-5], "2 Their hash"),
}


def changing(change: Callable[[bytes], bytes]) -> Callable[[Route], Awaitable[None]]:
    """Somebody between the gateway and the browser."""

    async def changed(route: Route) -> None:
        response = await route.fetch()
        headers = {"content-type": response.headers["content-type"]}
        await route.fulfill(status=200, headers=headers, body=change(await response.body()))

    return changed


async def test_whatever_is_changed_on_the_way_fails_at_its_step_and_says_why(audit: Audit) -> None:
    for _ in range(5):
        one = await audit.call()
    page = await audit.page()
    await page.goto(f"/auditor/disclosures/{one}")
    for name, (of, change, step) in TAMPERED.items():
        pattern = "**/auditor/entries/*" if of == "bytes" else "**/auditor/entries/*/proof"
        await page.route(pattern, changing(change))
        told = await verified(page)
        await page.unroute(pattern)
        assert "It does not verify." in told, name
        assert step.split(" ", 1)[1] in told, (name, told)
        bad = await failing(page)
        assert bad.startswith(step[0]), (name, bad)
        assert "Fails." in bad, name
    assert "stand in the log as shown" in await verified(page)


async def test_another_log_signed_by_another_key_passes_only_until_the_kept_key_is_given(audit: Audit) -> None:
    one = await audit.call()
    page = await audit.page()
    await page.goto(f"/auditor/disclosures/{one}")

    await page.route("**/auditor/entries/*/proof", changing(_proof(_other_log)))
    assert "Compare it with the one that you kept" in await verified(page)
    assert "It does not verify." in await verified(page, audit.vkey)
    assert "None of the checkpoint's signatures is of this key." in await failing(page)


async def test_a_browser_that_cannot_check_signatures_says_so_and_how_else(audit: Audit) -> None:
    one = await audit.call()
    page = await audit.page()
    await page.add_init_script(
        "SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))"
    )
    await page.goto(f"/auditor/disclosures/{one}")
    await expect(page.get_by_text("This browser cannot check Ed25519 signatures here")).to_be_visible()
    await expect(page.get_by_text(f"gateway verify evidence.zip --key {audit.vkey}")).to_be_visible()
    await expect(page.get_by_role("button", name="Verify", exact=True)).to_be_hidden()


async def test_the_browser_folds_proofs_of_every_place_in_trees_of_many_sizes_as_the_gateway_does(audit: Audit) -> None:
    one = await audit.call()
    page = await audit.page()
    await page.goto(f"/auditor/disclosures/{one}")
    chance, cases = random.Random(3), []
    for size in (*range(1, 20), 31, 32, 33, 100, 257):
        leaves = [chance.randbytes(32) for _ in range(size)]
        hashes = {(0, place): leaf for place, leaf in enumerate(leaves)}
        edge = Edge()
        hashes |= {(level, place): node for level, place, node in edge.extend(leaves)}
        for index in range(size) if size < 20 else (0, size // 2, size - 1):
            proof = inclusion_plan(index, size).build(hashes)
            cases.append([index, size, list(leaves[index]), [list(each) for each in proof], edge.root().hex()])
    wrong = await page.evaluate(
        """async (cases) => {
          const proof = await import(document.querySelector("[data-verify]").dataset.proof);
          const wrong = [];
          for (const [index, size, leaf, hashes, root] of cases) {
            const made = await proof.fold(index, size, Uint8Array.from(leaf), hashes.map((each) => Uint8Array.from(each)));
            if (proof.hex(made.root) !== root) wrong.push([index, size]);
            for (const worse of [hashes.slice(1), [...hashes, hashes[0] ?? leaf]]) {
              if (!hashes.length && worse.length === 0) continue;
              try {
                const bad = await proof.fold(index, size, Uint8Array.from(leaf), worse.map((each) => Uint8Array.from(each)));
                if (proof.hex(bad.root) === root) wrong.push([index, size, "worse"]);
              } catch (failure) {
                if (!(failure instanceof proof.Wrong)) wrong.push(String(failure));
              }
            }
          }
          return wrong;
        }""",
        cases,
    )
    assert len(cases) > 150
    assert wrong == []


async def run(command: list[str]) -> tuple[int | None, str]:
    """Run a command; gives its exit code and what it says."""
    program = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    said, _ = await program.communicate()
    return program.returncode, said.decode()


@pytest.mark.parametrize("scripts", [True, False])
async def test_what_an_auditor_takes_home_verifies_there(audit: Audit, tmp_path: Path, scripts: bool) -> None:
    for _ in range(3):
        await audit.call()
    page = await audit.page(scripts=scripts)
    await page.goto("/auditor/export?recipient=Stripe%2C+Inc.")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Make the bundle").click()
    file = tmp_path / "evidence.zip"
    await (await downloading.value).save_as(file)
    if scripts:
        await expect(page.get_by_text("Done: evidence.zip")).to_be_visible()
    command = [str(Path(sys.executable).with_name("gateway")), "verify", str(file), "--key", audit.vkey]
    status, said = await run(command)
    assert status == 0, said
    raw = file.read_bytes()
    with zipfile.ZipFile(file) as bundle:
        at = raw.index(bundle.read("entries.ndjson")) + 30
    file.write_bytes(_flip(raw, at))
    assert (await run(command))[0] != 0
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download the sheet").click()
    sheet = tmp_path / "disclosures.csv"
    await (await downloading.value).save_as(sheet)
    assert len(sheet.read_text().splitlines()) == 4


async def test_the_log_is_narrowed_and_a_person_found_without_scripts(audit: Audit) -> None:
    await audit.call()
    await audit.call(subject="pat_9Xb4RtY2")
    await audit.call(purpose="TREAT")
    page = await audit.page(scripts=False)
    rows = page.locator("tbody tr")
    assert await rows.count() == 2
    await page.get_by_label("Outcome").select_option("refused")
    await page.get_by_role("button", name="Filter").click()
    assert await rows.count() == 1
    await page.locator("[data-row]").click()
    await expect(page.get_by_text("Call the action for a purpose that it declares.")).to_be_visible()
    await page.goto("/auditor?outcome=accepted")
    await page.get_by_label("Person", exact=True).fill(REFERENCE)
    await page.get_by_role("button", name="Find this person").click()
    await page.wait_for_url("**subject=*")
    assert REFERENCE not in page.url
    assert await rows.count() == 1
    await page.get_by_label("Name of the view").fill("What they took")
    await page.get_by_role("button", name="Save the view").click()
    await page.goto("/auditor")
    await page.get_by_role("link", name="What they took").click()
    assert await rows.count() == 1
    await page.get_by_role("link", name="Account of this person").click()
    await expect(page.get_by_role("rowheader", name="Stripe, Inc.")).to_be_visible()
    await page.get_by_role("navigation", name="The log").get_by_role("link", name="Charts").click()
    await page.get_by_text("Numbers as a table").first.click()
    await page.get_by_role("table", name="Disclosures by recipient, as numbers").get_by_role("link").first.click()
    assert urlsplit(page.url).path == "/auditor"
    assert await rows.count() == 2
