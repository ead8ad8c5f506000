# Every target does its own set-up: .venv is built once and again only when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help install lab demo test test-browser fuzz kills bench bench-training mutations other-data lint notebooks site student slides pictures view-pictures quality ladder weights

help:
	@echo "make install    the environment alone (.venv)"
	@echo "make lab        opens JupyterLab on the first notebook"
	@echo "make demo       finds defects on hazelnuts with a ready detector; pictures in results/"
	@echo "make test       every test, the notebooks among them (COVERAGE=1 also says which lines of anogan_lib/ none runs)"
	@echo "make test-browser  builds the site; works it, the report, the live page and the views in a real browser (needs Chromium)"
	@echo "make fuzz       damages images, masks, tables and detectors until a reader stumbles (SECONDS=60 for each; Linux)"
	@echo "make kills      kills score, train, evaluate and demo, and compares what they write in the end (an hour)"
	@echo "make bench      speed of the search beside the textbook loop (half an hour); results/bench/speed.json"
	@echo "make bench-training  quality against minutes of training (hours; goes on where it was stopped); tests/benchmarks/training.json"
	@echo "make mutations  puts ten faults into a copy of the library: a notebook has to notice each (TURN=n tries two)"
	@echo "make other-data runs every notebook on other data, digits and a folder of images (TURN=n two of them)"
	@echo "make lint       style of code and notebooks, and the order of imports"
	@echo "make notebooks  runs the notebooks again and keeps their outputs"
	@echo "make site       the course as a site with every view alive, in results/site/ (needs no network once it is built)"
	@echo "make student    the notebooks without their solutions, in results/student/"
	@echo "make slides     the notebooks as slides, in results/slides/"
	@echo "make pictures   draws the README's moving picture again (img/search.webp)"
	@echo "make view-pictures  takes those of the interactive views (needs Chromium)"
	@echo "make quality    detection quality beside baselines (hours; goes on where it was stopped); results/bench/quality.json"
	@echo "make ladder     what each idea brings, rung by rung (half an hour; goes on where it was stopped); notebooks/ladder.json"
	@echo "make weights    trains the ready detectors of weights/ again (nearly two hours on two CPU cores)"

install: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "anogan_lib needs Python 3.11 or newer; name one with: make $(or $(MAKECMDGOALS),install) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) lacks its venv module; install it (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable '.[dev]'
	@touch $@

lab: $(STAMP)
	$(BIN)/jupyter lab --ip=127.0.0.1 --ServerApp.root_dir='$(CURDIR)' --LabApp.default_url='/lab/tree/$(firstword $(NOTEBOOKS))' $(if $(filter 0,$(shell id -u)),--allow-root)

demo: $(STAMP)
	$(BIN)/anogan demo

# Two files of tests, or notebooks, at a time: each holds a TensorFlow of its own (1 GB).
test: $(STAMP)
	$(BIN)/pytest --nbval --numprocesses 2 --dist loadfile $(if $(COVERAGE),--cov=anogan_lib --cov-report=term-missing:skip-covered --cov-fail-under=93)

BROWSER_STAMP := .venv/.stamp-browser
SITE_STAMP := .venv/.stamp-site

test-browser: $(STAMP) $(BROWSER_STAMP) site
	$(BIN)/pytest tests/browser --site results/site

$(BROWSER_STAMP): $(STAMP)
	$(BIN)/python -m pip install --editable '.[browser,site]'
	@touch $@

site: $(STAMP) $(SITE_STAMP)
	$(BIN)/python notebooks/site/build.py results/site

$(SITE_STAMP): $(STAMP)
	$(BIN)/python -m pip install --editable '.[site]'
	@touch $@

FUZZ_STAMP := .venv/.stamp-fuzz

fuzz: $(STAMP) $(FUZZ_STAMP)
	mkdir -p results/fuzz
	for target in image mask table detector; do \
		$(BIN)/python -m tests.fuzz $$target -max_total_time=$(or $(SECONDS),60) -artifact_prefix=results/fuzz/$$target- || exit 1; done

$(FUZZ_STAMP): $(STAMP)
	$(BIN)/python -m pip install --editable '.[fuzz]'
	@touch $@

kills: $(STAMP)
	$(BIN)/python -m tests.benchmarks.kills
	$(BIN)/python -m tests.benchmarks.killed_training

bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks.speed
	cp results/bench/speed.json tests/benchmarks/speed.json

bench-training: $(STAMP)
	$(BIN)/python -m tests.benchmarks.training

mutations: $(STAMP)
	$(BIN)/python -m tests.mutations $(if $(TURN),--turn $(TURN))

other-data: $(STAMP)
	$(BIN)/python -m tests.other_data $(if $(TURN),--turn $(TURN))

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

# Timings, widget state and versions would differ at each run: only what a reader sees is kept, views as Chromium shows them.
notebooks: $(STAMP)
	$(BIN)/jupyter nbconvert --to notebook --inplace --execute $(NOTEBOOKS) \
		--ExecutePreprocessor.timeout=300 --ExecutePreprocessor.record_timing=False \
		--ExecutePreprocessor.store_widget_state=False \
		--ClearMetadataPreprocessor.enabled=True --ClearMetadataPreprocessor.clear_cell_metadata=False \
		--ClearMetadataPreprocessor.preserve_nb_metadata_mask=kernelspec
	$(BIN)/jupyter nbconvert --to notebook --inplace --coalesce-streams $(NOTEBOOKS)
	$(BIN)/python notebooks/views.py stills $(NOTEBOOKS)

student: $(STAMP)
	$(BIN)/python notebooks/editions.py student

slides: $(STAMP)
	$(BIN)/python notebooks/editions.py slides

pictures: $(STAMP)
	$(BIN)/python img/search.py

view-pictures: $(STAMP) $(BROWSER_STAMP)
	$(BIN)/pytest tests/browser/pictures.py

# The ready detectors, by the commands that their cards name.
weights: $(STAMP)
	rm -rf weights/hazelnut weights/hazelnut-paper weights/digits-8 weights/mnist-8 weights/brick
	$(BIN)/anogan train hazelnut --out weights/hazelnut
	$(BIN)/anogan train hazelnut --recipe paper --flips --out weights/hazelnut-paper
	$(BIN)/anogan train digits:8 --out weights/digits-8
	$(BIN)/anogan train mnist:8 --out weights/mnist-8
	$(BIN)/anogan train textures:brick --out weights/brick

quality: $(STAMP)
	$(BIN)/python -m tests.benchmarks.quality

ladder: $(STAMP)
	$(BIN)/python -m tests.benchmarks.ladder
