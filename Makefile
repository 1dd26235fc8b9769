# Overt. `make help` lists what there is.
PYTHON ?= $(firstword $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done) python3)
BIN := .venv/bin
MODELS := build/models
SCENE := build/demo/scene.mp4

.DEFAULT_GOAL := help
.PHONY: help run test test-all check lint setup setup-dev models footage contract benchmarks package image clean distclean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

run: setup models footage ## the demonstration: a unit at work, from set-up to erasure certificate
	@$(BIN)/overt-tools demo --models $(MODELS) --scene $(SCENE)

test: setup-dev models-if-possible ## the tests (a few minutes)
	@$(BIN)/pytest -n 3 --dist worksteal

test-all: setup-dev models footage ## every test, the slow ones and the whole demonstration too
	@$(BIN)/pytest -m "not hardware" --timeout 900

check: lint test ## linters, types, generated files, tests

lint: setup-dev ## linters, types, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/overt-tools contract --check

setup: ## the virtual environment that the product and the demonstration need
	@$(PYTHON) tools/bootstrap.py run

setup-dev: ## the same with the developer's tools
	@$(PYTHON) tools/bootstrap.py dev

models: setup ## fetch, convert and check the models
	@$(BIN)/overt-tools models build --out $(MODELS)

.PHONY: models-if-possible
models-if-possible: setup-dev
	@$(BIN)/overt-tools models build --out $(MODELS) || echo "tests that need the models will be skipped"

footage: models ## build the demonstration footage
	@$(BIN)/overt-tools scene build --out $(SCENE)

contract: setup ## write docs/contract anew from the types
	@$(BIN)/overt-tools contract

benchmarks: setup-dev footage ## measure everything on an idle machine and write docs/benchmarks.md (about ten minutes)
	@$(BIN)/overt-tools bench report --run

ARCH ?= arm64
package: setup models ## the unit's Debian package (ARCH=arm64 or amd64) and its bill of materials
	@$(BIN)/overt-tools package build --arch $(ARCH)

image: setup models ## a disk image for amd64; as root, with KEYRING=the certificates that sign updates
	@test -n "$(KEYRING)" || { echo "expected KEYRING=FILE, certificates (PEM) of who signs updates: see docs/packages.md" >&2; exit 2; }
	@$(BIN)/overt-tools package build --arch amd64
	@$(BIN)/overt-tools image build --package "$$(ls -t build/package/overt-camera_*_amd64.deb | head -1)" --keyring $(KEYRING)

clean: ## remove what was built, keep downloads and the virtual environment
	@rm -rf build/models build/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find firmware provisioning controlroom tools tests -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove everything that is not in the repository
	@rm -rf build .venv .venv.lock *.egg-info
