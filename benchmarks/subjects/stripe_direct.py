"""(D) The `stripe` package called directly, as a host would without a gateway: one thread per caller, or asyncio."""

import asyncio
import json
import sys
import threading
import time
from typing import Any

import stripe

from benchmarks.programs import say
from benchmarks.window import Window

PARAMETERS: Any = {
    "amount": 4250,
    "currency": "eur",
    "automatic_payment_methods": {"enabled": True},
    "metadata": {"reference": "inv_2024000117"},
}


class Caller:
    """Makes calls one after the other until told to stop."""

    def __init__(self, spec: dict[str, Any], http_client: Any) -> None:
        """One client for all callers; it makes a connection per thread, or per call in flight."""
        self.window = Window()
        self.stopped = False
        self.client = stripe.StripeClient(
            "sk_test_0000000000",
            base_addresses={"api": spec["upstream"]},
            max_network_retries=0,
            http_client=http_client,
        )

    def call(self) -> None:
        """Call in this thread."""
        while not self.stopped:
            began = time.perf_counter()
            try:
                self.client.v1.payment_intents.create(PARAMETERS)
            except stripe.StripeError as error:
                self.fail(error)
            else:
                self.window.record(time.perf_counter() - began)

    async def call_async(self) -> None:
        """Call in this task."""
        while not self.stopped:
            began = time.perf_counter()
            try:
                await self.client.v1.payment_intents.create_async(PARAMETERS)
            except stripe.StripeError as error:
                self.fail(error)
            else:
                self.window.record(time.perf_counter() - began)

    def fail(self, error: stripe.StripeError) -> None:
        """Count an error; too many end the measurement."""
        self.window.fail(str(error))
        self.stopped = self.stopped or self.window.errors >= 100

    def finish(self) -> dict[str, object]:
        """The figures; this program's own CPU is what a call costs."""
        result = self.window.result().as_json()
        cpu_us = self.window.cpu_seconds / max(len(self.window.latencies), 1) * 1e6
        return {**result, "server_cpu_us": cpu_us, "load_share": 0.0}


def measure_threads(spec: dict[str, Any]) -> dict[str, object]:
    """Measure as many threads as there are callers."""
    caller = Caller(spec, stripe.RequestsClient())
    threads = [threading.Thread(target=caller.call, daemon=True) for _ in range(spec["callers"])]
    for thread in threads:
        thread.start()
    time.sleep(spec["warm_seconds"])
    caller.window.open()
    time.sleep(spec["seconds"])
    caller.window.close()
    caller.stopped = True
    for thread in threads:
        thread.join(timeout=5)
    return caller.finish()


async def measure_tasks(spec: dict[str, Any]) -> dict[str, object]:
    """Measure as many tasks as there are callers."""
    http_client = stripe.AIOHTTPClient()
    caller = Caller(spec, http_client)
    tasks = [asyncio.ensure_future(caller.call_async()) for _ in range(spec["callers"])]
    await asyncio.sleep(spec["warm_seconds"])
    caller.window.open()
    await asyncio.sleep(spec["seconds"])
    caller.window.close()
    caller.stopped = True
    await asyncio.wait(tasks, timeout=5)
    await http_client.close_async()
    return caller.finish()


def main() -> None:
    """Measure in the way that the argument names."""
    spec = json.loads(sys.stdin.readline())
    if sys.argv[1] == "threads":
        say(measure_threads(spec))
    else:
        import uvloop

        say(uvloop.run(measure_tasks(spec)))


if __name__ == "__main__":
    main()
