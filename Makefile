PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
REQUIREMENTS ?= requirements.txt
# Two processes side by side, each of which computes with one thread.
ON_TWO_CORES := TF_NUM_INTRAOP_THREADS=1 OMP_NUM_THREADS=1
ON_ALL_BACKENDS := fcn backbones surgery upsampling dilated losses metrics fast devices training inference features data/pipeline

.DEFAULT_GOAL := book
.PHONY: book pdf check test test-chapters thorough coverage mutation test-backends test-colab \
	test-without-tensorflow notebooks address tables weights format clean requirements help install

book: install ## Execute the chapters and build the book (the default)
	$(BIN)/jupyter-book build .

pdf: book ## Print the book into _build/fcn-tutorial.pdf (needs Chromium)
	$(BIN)/python tools/pdf.py

check: install ## Lint, check types, and run the tests that train nothing (a minute or two)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(ON_TWO_CORES) $(BIN)/pytest -m "not slow" -n 2 --dist worksteal --ignore=tests/book tests

# Building the book executes every chapter once and stops at an error, so that nbval has only to
# show that it can test a notebook.
test: install ## Lint, test the library, execute the chapters, build the book and test its pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(ON_TWO_CORES) $(BIN)/pytest -n 2 --dist loadfile --ignore=tests/book tests
	$(ON_TWO_CORES) $(BIN)/jupyter-book build -W -n --keep-going --all .
	REQUIRE_BOOK=true $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder \
		--nbval-lax --nbval-cell-timeout 300 book/chapters/01-*.ipynb tests/book

test-chapters: install ## Run the chapters as tests, each from an empty kernel
	$(BIN)/pytest --nbval-lax --nbval-cell-timeout 300 -n 2 --dist loadscope book/

thorough: install ## Damage files and kill trainings, thousands of times (some hours)
	$(ON_TWO_CORES) $(BIN)/pytest --hypothesis-profile thorough -n 2 tests/thorough tests/data/test_matlab.py

coverage: install ## Test the library and say which branches no test has taken
	$(ON_TWO_CORES) $(BIN)/pytest -n 2 --dist loadfile --cov --ignore=tests/book tests

mutation: install ## Break the arithmetic in one place at a time, and count what tests notice
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

test-backends: install ## Test networks, loss, training and inference on TensorFlow, JAX and PyTorch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-c requirements.txt -e '.[backends]'
	@for backend in tensorflow jax torch; do \
		echo "Keras on $$backend"; \
		KERAS_BACKEND=$$backend $(BIN)/pytest $(foreach name,$(ON_ALL_BACKENDS),$(dir tests/$(name))test_$(notdir $(name)).py) || exit 1; \
	done

test-without-tensorflow: install ## Train, evaluate and segment on JAX where TensorFlow is not installed
	TEST_WITHOUT_TENSORFLOW=true $(BIN)/pytest tests/test_without_tensorflow.py

test-colab: install ## Run every chapter with an older TensorFlow, installed by its first cell
	TEST_COLAB=true $(BIN)/pytest tests/book/test_colab.py

address: install ## Write address and version everywhere (another: make address URL=https://...)
	$(BIN)/python tools/address.py $(URL)

notebooks: install ## Execute the chapters in place (one: make notebooks CHAPTER=book/chapters/NAME.ipynb)
	$(BIN)/python tools/execute.py $(CHAPTER)

weights: install ## Train again the small networks that the package carries (a quarter of an hour)
	$(BIN)/python -m studies.carry runs/weights

tables: install ## Write the tables of results in README, studies/README and the ledger
	$(BIN)/python tools/tables.py

format: install ## Format the code and the chapters
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was built (.venv stays)
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache .hypothesis mutants .coverage*

requirements: install ## Pin what pyproject.toml asks for, in requirements.lock with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra book --extra test \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-strip-extras requirements.txt -o requirements.lock

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 26

install: $(INSTALLED)

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "The course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is not one of them:" \
			"name another, as in make PYTHON=python3.12." >&2; exit 1; }
	@echo "Installing what the course needs into .venv; the first time this takes some minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
