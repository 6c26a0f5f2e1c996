"""Serve the sandbox by itself, on this machine only: `python -m connectors.abdm.simulator --port 8095 --quirks`."""

import argparse
import sys

import uvicorn

from connectors.abdm.sandbox import CREDENTIAL, create
from connectors.abdm.simulator.quirks import Quirks


def main() -> None:
    """Read the options, say where it is, serve until it is stopped."""
    options = argparse.ArgumentParser(prog="python -m connectors.abdm.simulator", description=__doc__)
    options.add_argument("--port", type=int, default=8095)
    options.add_argument("--quirks", action="store_true", help="with every quirk on")
    given = options.parse_args()
    app = create(quirks=Quirks.everything() if given.quirks else Quirks())
    sys.stdout.write(f"http://127.0.0.1:{given.port}/app\nclient id and secret: {CREDENTIAL}\n")
    sys.stdout.flush()
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
