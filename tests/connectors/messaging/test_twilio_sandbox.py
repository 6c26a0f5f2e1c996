"""The sandbox behaves as Twilio does where it matters: keys, test numbers, opt-outs, redaction, signed messages, phones."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest

from connectors.contract import (
    Ambiguous,
    CallbackEvent,
    CallbackRefused,
    ConnectorError,
    ReconnectNeeded,
    Rejected,
    TryLater,
    VendorAnswer,
    Wish,
)
from connectors.messaging.twilio import callback, sandbox
from gateway.egress import Credential
from gateway.egress.door import Door
from gateway.egress.engine import CurlEngine
from gateway.egress.route import Route
from gateway.serve import listening, serving
from scopes.minimize import minimize, minimize_answer
from scopes.vocabulary import Repeat
from tests.conformance.harness import DirectEgress, perform, said
from tests.connectors.messaging.twilio import KEY, TWILIO, URL, package

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
PHONE = "+14155550123"
NOTICE = {"phone": PHONE, "given_name": "Meenakshi"}
API = TWILIO.manifest.base_url
PATH = f"/2010-04-01/Accounts/{sandbox.ACCOUNT}/Messages"


class Network:
    """One sandbox, a door to it, and the gateway's end of what it tells: each message is verified, then read."""

    def __init__(self, status: int = 200) -> None:
        self.events: list[CallbackEvent] = []
        self.bodies: list[dict[str, str]] = []
        self.status = status
        self.app = sandbox.create(
            callback_url=URL, pace_seconds=0, transport=httpx2.MockTransport(self.hear), clock=NOW.timestamp
        )
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=API)

    def hear(self, request: httpx2.Request) -> httpx2.Response:
        callback.verify(request.content, request.headers, str(request.url), (sandbox.CALLBACK_SECRET,), now=NOW)
        with pytest.raises(CallbackRefused):
            callback.verify(request.content, request.headers, str(request.url), ("0" * 32,), now=NOW)
        self.bodies.append(dict(parse_qsl(request.content.decode(), keep_blank_values=True)))
        self.events += callback.translate(request.content, str(request.url))
        return httpx2.Response(self.status)

    async def send(self, payload: Mapping[str, Any] = NOTICE, **given: Any) -> dict[str, Any]:
        usual = {"credential": sandbox.CREDENTIAL, "base_url": API, "account": sandbox.ACCOUNT, "idempotency_key": KEY}
        egress = DirectEgress(TWILIO.manifest, self.http, **{**usual, "callback_url": URL, **given})
        action = TWILIO.actions["send_notice"]
        answer: VendorAnswer = await perform(action, payload, egress)
        return minimize_answer(action.answer, answer.body)

    async def post(self, credential: str = sandbox.CREDENTIAL, **parameters: str) -> httpx2.Response:
        given = {"To": PHONE, "From": "+15005550006", "Body": "Hello", **parameters}
        return await self.http.post(f"{PATH}.json", data=given, headers=basic(credential))

    async def reply(self, text: str, phone: str = PHONE) -> httpx2.Response:
        return await self.http.post(f"/phone/{phone}", data={"text": text})


def basic(credential: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credential.encode()).decode()}"}


@pytest.fixture
def network() -> Network:
    return Network()


async def refusal(work: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await work
    return raised.value


async def test_a_message_travels_and_each_step_is_told_under_its_attempt(network: Network) -> None:
    kept = await network.send()
    assert kept["status"] == "queued"
    assert kept["segments"] == 1
    assert [event.type for event in network.events] == ["message.sent", "message.delivered"]
    for event in network.events:
        assert event.vendor_id == kept["id"]
        assert event.settles is not None
        assert event.settles.key == KEY


async def test_what_does_not_arrive_says_why(network: Network) -> None:
    await network.send({**NOTICE, "phone": sandbox.UNDELIVERED})
    last = network.events[-1]
    assert last.settles is not None
    assert last.settles.code == "undelivered.30003"


@pytest.mark.parametrize(
    ("number", "code"),
    [("+15005550001", "recipient_invalid"), ("+15005550002", "route_not_possible"), ("+15005550003", "region_not_enabled"),
     ("+15005550004", "opted_out"), ("+15005550009", "recipient_not_mobile")],
)  # fmt: skip
async def test_twilio_s_test_numbers_are_refused_as_twilio_does(network: Network, number: str, code: str) -> None:
    error = await refusal(network.send({**NOTICE, "phone": number}))
    assert isinstance(error, Rejected)
    assert error.code == code
    assert network.events == []


async def test_a_stop_reaches_twilio_and_us_until_a_start(network: Network) -> None:
    await network.send()
    await network.reply("Stop!")
    answered = network.events[2].answered
    assert answered is not None
    assert (answered.address, answered.wish) == (PHONE, Wish.STOP)
    assert (await refusal(network.send())).code == "opted_out"
    await network.send({**NOTICE, "phone": "+14155550188"})
    await network.reply("unstop")
    assert network.events[-2].data["meaning"] == "start"
    await network.send()


async def test_keys_of_nobody_and_other_accounts_are_not_admitted(network: Network) -> None:
    for given in (
        {"credential": "SK" + "0" * 32 + ":wrongwrongwrongwrong"},
        {"credential": f"{sandbox.ACCOUNT}:wrong"},
        {"account": "AC" + "f" * 32},
    ):
        error = await refusal(network.send(**given))
        assert isinstance(error, ReconnectNeeded)
        assert error.code == "not_admitted"


async def test_a_key_that_may_only_create_reads_no_message(network: Network) -> None:
    sid = (await network.send())["id"]
    refused = await network.http.get(f"{PATH}/{sid}.json", headers=basic(sandbox.CREDENTIAL))
    assert (refused.status_code, refused.json()["code"]) == (403, 70051)
    owner = basic(f"{sandbox.ACCOUNT}:{sandbox.CALLBACK_SECRET}")
    assert (await network.http.get(f"{PATH}/{sid}.json", headers=owner)).json()["status"] == "delivered"
    assert (await network.http.get(f"{PATH}/SM1.json", headers=owner)).status_code == 404


async def test_with_redaction_twilio_forgets_what_the_phone_keeps(network: Network) -> None:
    sid = (await network.send())["id"]
    owner = basic(f"{sandbox.ACCOUNT}:{sandbox.CALLBACK_SECRET}")
    kept = (await network.http.get(f"{PATH}/{sid}.json", headers=owner)).json()
    assert (kept["body"], kept["to"]) == ("", "+1415555XXXX")
    assert {body["To"] for body in network.bodies} == {"+1415555XXXX"}
    assert "Meenakshi" in (await network.http.get(f"/phone/{PHONE}")).text


async def test_trouble_can_be_switched_on(network: Network) -> None:
    await network.http.post("/_sandbox/switches", json={"rate_limited": True})
    error = await refusal(network.send())
    assert isinstance(error, TryLater)
    assert (error.code, error.retry_after_seconds) == ("rate_limited", 1)
    await network.http.post("/_sandbox/switches", json={"rate_limited": False, "failing": True})
    assert isinstance(await refusal(network.send()), Ambiguous)


@pytest.mark.parametrize(
    ("given", "code"),
    [({"To": ""}, 21604), ({"From": ""}, 21603), ({"Body": ""}, 21602), ({"Body": "x" * 1601}, 21617), ({"To": "123"}, 21211),
     ({"From": "+15005550007"}, 21606), ({"From": "a name too long"}, 21212), ({"MessagingServiceSid": "MG1"}, 21705),
     ({"StatusCallback": "nowhere"}, 21609), ({"ValidityPeriod": "36001"}, 20001), ({"ContentRetention": "no"}, 20001),
     ({"AddressRetention": "no"}, 20001), ({"Diagnosis": "x"}, 20001)],
)  # fmt: skip
async def test_a_request_of_another_form_is_refused(network: Network, given: dict[str, str], code: int) -> None:
    answer = await network.post(**given)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_service_s_message_has_no_sender_yet_and_is_told_from_a_number(network: Network) -> None:
    made = await network.post(From="", MessagingServiceSid="MG" + "0" * 32, StatusCallback=f"{URL}?d={KEY}")
    assert (made.json()["from"], made.json()["num_segments"]) == (None, "0")
    assert network.bodies[0]["MessagingServiceSid"] == "MG" + "0" * 32
    await network.reply("yes")
    assert network.bodies[-1]["To"] == "+15005550006"


# --- The package through the gateway's own door -----------------------------------------------------------------------


async def test_the_package_by_the_gateway_s_own_door_does_what_we_do() -> None:
    """Its HTTP through egress, with a subclassed client: the same request, the same credential, the same message."""
    app = sandbox.create(pace_seconds=0)
    async with serving(app, listening("127.0.0.1", 0)) as url:
        host = httpx2.URL(url).host
        door = Door(CurlEngine(), loopback_hosts=frozenset({host}))
        try:
            for send in (_by_us, _by_package):
                passage = door.through(
                    Route(frozenset({host}), url),
                    credential=Credential("basic", sandbox.CREDENTIAL),
                    idempotency_key=KEY,
                    account=sandbox.ACCOUNT,
                    repeat=Repeat.IF_UNSENT,
                    settings=sandbox.SETTINGS,
                )
                await send(passage)
                assert passage.attempts == 1
        finally:
            await door.close()
    ours, theirs = app.state.sandbox.messages
    assert (ours.to, ours.sender, ours.text) == (theirs.to, theirs.sender, theirs.text)


async def _by_us(passage: Any) -> None:
    action = TWILIO.actions["send_notice"]
    model = minimize(action.shape, NOTICE).model
    passage.wording = said(action, model)
    await action.perform(model, passage)


async def _by_package(passage: Any) -> None:
    action = TWILIO.actions["send_notice"]
    words = said(action, minimize(action.shape, NOTICE).model)
    assert words is not None
    made = await package(passage).messages.create_async(to=PHONE, from_=sandbox.SETTINGS["sender"], body=words.text)
    assert made.status == "queued"


@pytest.mark.parametrize(("switch", "attempts"), [("rate_limited", 3), ("failing", 1)])
async def test_what_twilio_did_not_do_is_repeated_and_what_it_may_have_done_never(switch: str, attempts: int) -> None:
    app = sandbox.create()
    app.state.sandbox.switches[switch] = True
    async with serving(app, listening("127.0.0.1", 0)) as url:
        host = httpx2.URL(url).host
        door = Door(CurlEngine(), loopback_hosts=frozenset({host}), chance=lambda: 0.0)
        action = TWILIO.actions["send_notice"]
        passage = door.through(
            Route(frozenset({host}), url),
            credential=Credential("basic", sandbox.CREDENTIAL),
            idempotency_key=KEY,
            account=sandbox.ACCOUNT,
            repeat=action.repeat,
            settings=sandbox.SETTINGS,
        )
        try:
            error = await refusal(_by_us(passage))
        finally:
            await door.close()
    assert passage.attempts == attempts
    assert error.kind == ("try_later" if attempts > 1 else "ambiguous")


# --- The phones -------------------------------------------------------------------------------------------------------


_ATTRIBUTE = re.compile(r"""\s+([a-z-]+)(?:=(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")
_TAG = re.compile(rf"<([a-z][a-z0-9]*)((?:{_ATTRIBUTE.pattern})*)\s*>")


class Page:
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        self.tags = [
            (
                match[1],
                {each[1]: unescape(each[2] or each[3] or each[4] or "") for each in _ATTRIBUTE.finditer(match[2])},
            )
            for match in _TAG.finditer(text)
        ]
        assert len(self.tags) == len(re.findall(r"<[a-zA-Z]", text)), "a tag that this does not read"

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


async def test_an_empty_sandbox_says_what_to_do(network: Network) -> None:
    page = await network.http.get("/phone")
    assert page.status_code == 200
    assert "No message has come yet" in page.text


async def test_the_phone_that_was_reached_last_comes_first(network: Network) -> None:
    await network.send()
    await network.send({**NOTICE, "phone": "+14155550188"})
    assert (await network.http.get("/phone")).headers["location"] == "/phone/+14155550188"
    page = Page((await network.http.get(f"/phone/{PHONE}")).text)
    assert [link["href"] for link in page.named("a") if "href" in link][1:] == [
        "/phone/+14155550188",
        f"/phone/{PHONE}",
    ]


async def test_an_answer_from_the_page_reaches_the_gateway_without_a_script(network: Network) -> None:
    await network.send()
    (form,) = Page((await network.http.get(f"/phone/{PHONE}")).text).named("form")
    answered = await network.http.post(str(form["action"]), data={"text": "Yes"})
    assert answered.status_code == 303
    assert network.events[-2].data["meaning"] == "confirm"
    page = await network.http.get(answered.headers["location"])
    assert "took your answer" in page.text
    assert ">Yes<" in page.text


@pytest.mark.parametrize(
    ("status", "words"), [(400, "did not take"), (503, "no answers just now"), (404, "no connection")]
)
async def test_the_page_says_what_the_gateway_made_of_an_answer(status: int, words: str) -> None:
    network = Network(status)
    answered = await network.reply("Yes")
    assert words in (await network.http.get(answered.headers["location"])).text


async def test_where_nobody_listens_the_page_says_so() -> None:
    app = sandbox.create(pace_seconds=0)
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=API)
    answered = await http.post(f"/phone/{PHONE}", data={"text": "Yes"})
    assert "Nobody takes answers" in (await http.get(answered.headers["location"])).text
    assert (await http.post(f"/phone/{PHONE}", data={"text": " "})).headers["location"] == f"/phone/{PHONE}#last"


async def test_a_text_is_shown_and_never_obeyed(network: Network) -> None:
    hostile = '<script>alert(1)</script> "\' & https://pay.example/"onmouseover=x'
    await network.post(Body=hostile)
    await network.reply("<img src=x onerror=alert(1)>")
    page = await network.http.get(f"/phone/{PHONE}")
    tags = Page(page.text)
    assert not {"script", "img", "iframe", "link", "object"} & {tag for tag, _ in tags.tags}
    assert not [name for _, attributes in tags.tags for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "&lt;script&gt;" in page.text


async def test_a_page_needs_nothing_from_elsewhere_and_is_whole(network: Network) -> None:
    await network.post(Body="Pay here: https://pay.example.com/l/7Hq2ZkW9 thanks")
    text = (await network.http.get(f"/phone/{PHONE}")).text
    page = Page(text)
    assert [link["href"] for link in page.named("a")][-1] == "https://pay.example.com/l/7Hq2ZkW9"
    assert not re.findall(r"""(?:src|@import|url\()""", text)
    (label,), (box,) = page.named("label"), page.named("input")
    assert label["for"] == box["id"]
    assert page.named("html")[0]["lang"] == "en"
    assert "prefers-color-scheme:dark" in text
    assert len(page.named("h1")) == 1


@pytest.mark.parametrize("number", ["x", "+1", "%3Cscript%3E", "+1415555012a"])
async def test_a_number_of_another_form_has_no_phone(network: Network, number: str) -> None:
    assert (await network.http.get(f"/phone/{number}")).headers["location"] == "/phone"
