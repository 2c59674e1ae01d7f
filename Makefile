PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
ON_ALL_BACKENDS := fcn vgg normalization convolution convolutionize upsampling dilated loss metrics training inference

.DEFAULT_GOAL := book
.PHONY: book pdf test test-backends test-colab notebooks address weights format clean requirements \
	help install

book: install ## Execute the chapters and build the book (the default)
	$(BIN)/python tools/build.py

pdf: book ## Print the book into _build/fcn-tutorial.pdf (needs Chromium)
	$(BIN)/python tools/pdf.py

test: install ## Lint, test the library and the chapters, build the book and test its pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest --ignore=tests/book tests
	$(BIN)/pytest --nbval-lax --nbval-cell-timeout 300 -n 2 --dist loadscope book/
	$(BIN)/python tools/build.py
	REQUIRE_BOOK=true $(BIN)/pytest tests/book

test-backends: install ## Test networks, loss, training and inference on TensorFlow, JAX and PyTorch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-c requirements.txt -e '.[backends]'
	@for backend in tensorflow jax torch; do \
		echo "Keras on $$backend"; \
		KERAS_BACKEND=$$backend $(BIN)/pytest $(ON_ALL_BACKENDS:%=tests/test_%.py) || exit 1; \
	done
	$(BIN)/pytest tests/test_devices.py

test-colab: install ## Run every chapter with an older TensorFlow, installed by its first cell
	TEST_COLAB=true $(BIN)/pytest tests/book/test_colab.py

address: install ## Write address and version everywhere (another: make address URL=https://...)
	$(BIN)/python tools/address.py $(URL)

notebooks: install ## Execute the chapters in place (one: make notebooks CHAPTER=book/NAME.ipynb)
	$(BIN)/python tools/execute.py $(CHAPTER)

weights: install ## Train the small networks that the package carries anew (a quarter of an hour)
	$(BIN)/python -m fcn_tutorial.pretrained.make runs/weights

format: install ## Format the code and the chapters
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was built (.venv stays)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis

requirements: install ## Pin in requirements.txt what pyproject.toml asks for
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra book --extra test \
		pyproject.toml -o requirements.txt

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

install: $(INSTALLED)

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "The course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is not one of them:" \
			"name another, as in make PYTHON=python3.12." >&2; exit 1; }
	@echo "Installing what the course needs into .venv; the first time this takes some minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
