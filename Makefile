# Two commands do all the set-up: make demo, make test.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo test lint format bench crash eval train-reader measure-reader clean
.DEFAULT_GOAL := demo

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fonte needs Python 3.11 or newer; choose one: make PYTHON=python3.12")'
	@echo "Installing into $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/fonte models pull
	@$(BIN)/fonte add --data .fonte samples
	@echo
	@echo '$$ fonte ask "who are the interim co-CEOs?"'
	@$(BIN)/fonte ask --data .fonte "who are the interim co-CEOs?"

test: setup
	@$(BIN)/fonte models pull
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python bench/ask.py
	$(BIN)/python bench/add.py
	$(BIN)/python bench/scale.py

crash: setup
	FONTE_KILLS=1000 $(BIN)/python -m pytest tests/test_crash.py -s --timeout=3600

eval: setup
	@$(BIN)/fonte models pull
	$(BIN)/fonte add --data .fonte samples
	$(BIN)/fonte eval --gold samples/gold.jsonl --data .fonte --out out/samples --gate eval/samples-gate.toml $(if $(SAMPLE),--sample $(SAMPLE)) --fresh

# The reader: ROWS is read.jsonl, PUBLIC the folder of clapnq_dev and mtrag_un, HELD_OUT the ids of what measures.
ROWS     ?= ../shared/traindata/read.jsonl
PUBLIC   ?= ../shared/evaldata
HELD_OUT ?= ../shared/traindata/held_out_gold_ids.json
OUT      ?= out/reader

train-reader: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,train]'
	@$(BIN)/fonte models pull multilingual-e5-small
	$(BIN)/python -m train.reader $(ROWS) --public $(PUBLIC) --out $(OUT) --resume
	cp $(OUT)/reader.safetensors $(OUT)/reader.json rag/

measure-reader: setup
	$(BIN)/python -m train.measure $(PUBLIC) $(HELD_OUT) --rows $(ROWS)

clean:
	rm -rf $(VENV) .fonte out build *.egg-info
