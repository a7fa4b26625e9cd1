# Each target sets up its own environment, in .venv; `make` lists them. PYTHON names another
# interpreter (3.11 or newer).
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PREP := .venv/.prep
TRAIN := .venv/.train
DEV := .venv/.dev
BENCH := bench-work

.PHONY: demo model test soak lint types docs check dist resolve audit lowest newest bench bench-full gpu-record clean help

demo: demo/trees/metrics.json demo/resnet/metrics.json  ## simulate data, build, verify, train, test and report
	$(BIN)/hmsprep verify demo/hms.zarr
	$(BIN)/hmsprep info demo/hms.zarr
	$(BIN)/hmsprep inspect demo/data --html demo/data.html
	$(BIN)/hmsprep show demo/hms.zarr --out demo/windows.png
	$(BIN)/hmstrain test demo/trees
	$(BIN)/hmstrain test demo/resnet
	$(BIN)/hmstrain report demo/resnet
	$(BIN)/hmstrain compare demo/trees demo/resnet
	@echo "Look at demo/data.html, demo/windows.png and demo/resnet/report.html."

demo/data/train.csv: | $(PREP)
	@mkdir -p demo
	$(BIN)/hmsprep synth demo/data --windows 600 --seed 1

demo/hms.zarr/MANIFEST.json: demo/data/train.csv
	$(BIN)/hmsprep build demo/data demo/hms.zarr --force

LEARN := --inputs eeg --image-size 96 --set eeg_seconds=12 --set swap=0.5 --set shift_s=3 \
  --set ema=0.95

demo/trees/metrics.json: demo/hms.zarr/MANIFEST.json | $(TRAIN)
	$(BIN)/hmsprep features demo/hms.zarr --span judged --force
	$(BIN)/hmstrain run demo/hms.zarr --model features --set features_span=judged \
	  --balance votes --out demo/trees --resume

demo/resnet/metrics.json: demo/hms.zarr/MANIFEST.json | $(TRAIN)
	$(BIN)/hmstrain run demo/hms.zarr --model resnet10t $(LEARN) --learning-rate 2e-3 \
	  --epochs 20 --batch-size 16 --sample votes --set channel_dropout=0.1 --set mixup=0.4 \
	  --out demo/resnet --resume

model: $(DEV)  ## the demonstration model, anew, from simulated EEG, in an hour of two cores
	$(BIN)/python -m benchmarks.models.demonstration --work $(BENCH)/demonstration

# Tests wait for disks and other programs a third of their time: one worker more than processors.
WORKERS ?= $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")

test: $(DEV)  ## all tests
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile

SECONDS ?= 1200

soak: $(DEV)  ## faults and hostile files for SECONDS=1200; what reproduces a problem stays in soak/
	PYTHONPATH=.:store:tests $(BIN)/python -m soak.run --seconds $(SECONDS) --out soak

lint: $(DEV)  ## style and format, by ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)  ## types, by mypy
	$(BIN)/mypy

docs: $(DEV)  ## documentation site in site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=.:store $(BIN)/mkdocs build --quiet --clean
	$(BIN)/python docs/generate/check.py site
	@echo "Open site/index.html."

check: lint types docs test  ## everything that CI checks, except the demo

dist: .venv/bin/uv  ## wheel and source archive in dist/
	rm -rf dist
	$(BIN)/uv build --quiet

resolve: .venv/bin/uv  ## check that Python 3.11 to 3.14 have wheels of all that is needed
	@for version in 3.11 3.12 3.13 3.14; do for pins in /dev/null constraints.txt; do \
	  $(BIN)/uv pip compile --quiet --python-version $$version --only-binary :all: \
	    --all-extras -c $$pins --output-file /dev/null pyproject.toml || exit 1; \
	done; echo "Python $$version: wheels of the newest and of the pinned versions"; done

audit: .venv/bin/uv  ## look the pinned versions up among the known vulnerabilities of PyPI
	$(BIN)/uv tool run pip-audit --strict --no-deps --disable-pip -r constraints.txt

TESTS ?= tests
EDGE := .edge
VERSIONS ?= 3.11 3.12 3.13 3.14
# An environment of one Python and one end of the versions, the tests in it, and its removal. Old
# packages are allowed to warn of what newer ones dropped.
define at_the_edge
rm -rf $(EDGE) && $(BIN)/uv venv --quiet --no-python-downloads --python $(1) $(EDGE) \
  && VIRTUAL_ENV=$(EDGE) $(BIN)/uv pip install --quiet --upgrade $(2) -e '.[all]' --group dev \
  && $(EDGE)/bin/pytest -q -n $(WORKERS) --dist loadfile -p no:cacheprovider -W default $(TESTS); \
status=$$?; rm -rf $(EDGE); exit $$status
endef

lowest: .venv/bin/uv  ## tests (TESTS=tests) with the lowest versions of all that is needed
	$(call at_the_edge,3.11,--resolution lowest-direct)

newest: .venv/bin/uv  ## tests with the newest versions, on each of VERSIONS that is here
	@for version in $(VERSIONS); do \
	  $(BIN)/uv pip compile --quiet --python-version $$version --only-binary :all: --upgrade \
	    --extra all --group dev --output-file /dev/null pyproject.toml || exit 1; \
	  if $(BIN)/uv python find --no-python-downloads $$version >/dev/null 2>&1; \
	  then echo "Python $$version:"; ( $(call at_the_edge,$$version,) ) || exit 1; \
	  else echo "Python $$version: resolved, not tested, since it is not installed"; fi; \
	done

bench: $(DEV)  ## benchmarks at a small size, in minutes
	$(BIN)/python -m benchmarks.speed.build --results $(BENCH)/results
	$(BIN)/python -m benchmarks.speed.loader --results $(BENCH)/results
	$(BIN)/python -m benchmarks.speed.step --image-size 128 --results $(BENCH)/results
	$(BIN)/python -m benchmarks.speed.precision --results $(BENCH)/results
	$(BIN)/python -m benchmarks.speed.inspecting --results $(BENCH)/results
	$(BIN)/python -m benchmarks.speed.recording --results $(BENCH)/results

LIKE ?= train.csv

bench-full: $(DEV)  ## all benchmarks, in hours, with 60 GB of disk; LIKE=train.csv
	$(BIN)/python -m benchmarks.speed.build --like $(LIKE)
	$(BIN)/python -m benchmarks.speed.loader
	$(BIN)/python -m benchmarks.speed.step --image-size 128
	$(BIN)/python -m benchmarks.speed.precision
	$(BIN)/python -m benchmarks.speed.inspecting
	$(BIN)/python -m benchmarks.speed.recording
	$(BIN)/python -m benchmarks.speed.recording --minutes 1440 --record recording-day
	$(BIN)/python -m benchmarks.speed.planning --like $(LIKE)
	$(BIN)/uv venv --quiet --allow-existing $(BENCH)/venv
	VIRTUAL_ENV=$(BENCH)/venv $(BIN)/uv pip install --quiet -e '.[prep,train]' --group peers
	rm -rf $(BENCH)/peers
	$(BENCH)/venv/bin/python -m benchmarks.peers.peers --work $(BENCH)/peers
	rm -rf $(BENCH)/peers
	$(BIN)/python -m benchmarks.speed.rehearsal --like $(LIKE)
	$(BIN)/python -m benchmarks.models.learning --work $(BENCH)/learning
	$(BIN)/python -m benchmarks.models.study --work $(BENCH)/study
	$(BIN)/python -m benchmarks.charts

STORE ?=

gpu-record: $(DEV)  ## records of training on the GPU of this machine; STORE=hms.zarr, else simulated
	$(BIN)/python -m benchmarks.speed.gpu --device cuda $(if $(STORE),--store $(STORE))
	$(BIN)/python -m benchmarks.speed.step --device cuda --batch-size 32 $(if $(STORE),--store $(STORE))
	@echo "The records are benchmarks/results/gpu-cuda.md and step-cuda.md."

clean:  ## remove .venv, the site, archives and what the demo made
	rm -rf .venv demo dist site $(BENCH)

help:  ## this list
	@echo "make TARGET:"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(PREP): pyproject.toml constraints.txt | .venv/bin/uv
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode -c constraints.txt -e '.[prep]'
	@touch $@

$(TRAIN): pyproject.toml constraints.txt | $(PREP)
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode -c constraints.txt -e '.[prep,train]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(TRAIN)
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode -c constraints.txt --group dev
	@touch $@
