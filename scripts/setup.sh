#!/bin/sh
# Find a Python that is new enough and let setup.py lay the environment. Keeps nothing, installs nothing itself.
# PYTHON=... names another one.
for python in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        exec "$python" scripts/setup.py
    fi
done
echo "setup: Python 3.11 or newer is missing; install python3 (or say PYTHON=/path/to/python3) and try again." >&2
exit 1
