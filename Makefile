# The two commands are `make run` and `make test`; both lay the environment in .venv first. No path here is absolute.
SHELL := /bin/sh
# Where a person's Python writes no bytecode, each program here would compile all of its source anew: half of its start.
unexport PYTHONDONTWRITEBYTECODE
PYTHON_IN := .venv/bin/python
WORKERS ?= 2
ARGS ?=
PYTEST_ARGS ?=

.PHONY: setup run test check bench endure lock

setup:
	@sh scripts/setup.sh

run: setup
	@exec .venv/bin/gateway demo $(ARGS)

# The files in their own order, not those with the most tests first: the longest have few.
test: setup
	@$(PYTHON_IN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not endure" $(PYTEST_ARGS)

check: setup
	@$(PYTHON_IN) -m ruff format --check --quiet .
	@$(PYTHON_IN) -m ruff check --quiet .
	@$(PYTHON_IN) -m mypy --no-error-summary
	@$(PYTHON_IN) -m pytest -q -p no:cacheprovider tests/test_rooms.py tests/test_ground.py

bench: setup
	@$(PYTHON_IN) -m benchmarks $(ARGS)

endure: setup
	@$(PYTHON_IN) -m pytest -q -m endure $(PYTEST_ARGS)

# Write the locks anew from pyproject.toml; no address of an index may stand in them.
LOCK := UV_CACHE_DIR=.venv/cache .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links
lock: setup
	@$(LOCK) pyproject.toml -o requirements/runtime.txt
	@$(LOCK) --group pyproject.toml:dev -c requirements/runtime.txt -o requirements/dev.txt
	@echo uv | $(LOCK) - -o requirements/uv.txt
