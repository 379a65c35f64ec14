# Every command of the project. `make` alone lists them.
PYTHON ?= python3
export PORT ?= 8000
BIN = .venv/bin
LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url $(UPGRADE) \
	--custom-compile-command 'make lock'

.PHONY: lock audit help run test fuzz types chaos rolling deliveries lint coverage bench clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

.venv/installed-bench: .venv/installed requirements-bench.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-bench.txt
	@touch $@

tests/live/node_modules/installed: tests/live/package-lock.json
	npm ci --prefix tests/live --silent --no-audit --no-fund
	@touch $@

tests/web/node_modules/installed: tests/web/package-lock.json
	npm ci --prefix tests/web --silent --no-audit --no-fund
	@touch $@

# The page wants four packages; without npm it says so, and everything else works.
web/node_modules/installed: web/package-lock.json
	@if command -v npm >/dev/null && npm ci --prefix web --silent --no-audit --no-fund --fetch-retries=1; then touch $@; else \
	  echo "The page at /app lacks its packages: where npm is at hand, npm ci --prefix web brings them."; fi

run: .venv/installed web/node_modules/installed  ## install, migrate and serve on http://127.0.0.1:8000 (PORT changes it)
	@LOG_LEVEL=WARNING $(BIN)/flask db upgrade
	@WELCOME=1 exec $(BIN)/gunicorn -c gunicorn.conf.py wsgi:app

AUDITED = tests/live tests/web web
NODE_MODULES = $(addsuffix /node_modules/installed, $(AUDITED))

test: .venv/installed-dev $(NODE_MODULES)  ## run every test, Python and Node
	$(BIN)/python -m pytest $(ARGS)

fuzz: .venv/installed-dev  ## some 110,000 generated requests against the OpenAPI document, and 10,000 mutations of a token
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-250} FUZZ_ROUNDS=$${FUZZ_ROUNDS:-7} FUZZ_MUTATIONS=$${FUZZ_MUTATIONS:-10000} \
	$(BIN)/python -m pytest tests/docs/test_fuzz.py tests/auth/test_tokens.py $(ARGS)

chaos: .venv/installed-dev tests/live/node_modules/installed  ## 200 kills over 10,000 messages, on SQLite and on PostgreSQL with Redis
	@$(BIN)/python -m tests.chaos

rolling: .venv/installed-dev tests/live/node_modules/installed  ## 20 rolling restarts under load, two workers behind nginx
	@CHAOS_DATABASES=postgresql CHAOS_FRONT=nginx CHAOS_KILLS=0 CHAOS_REDIS_AWAY= CHAOS_POSTGRES_AWAY= \
	CHAOS_ROLLS=20 CHAOS_MESSAGES=$${CHAOS_MESSAGES:-3000} $(BIN)/python -m tests.chaos

types: .venv/installed-dev  ## write what is made from the schemas and config.py: docs/asyncapi.yaml, codesherpa.d.ts, settings.md, .env.example
	$(BIN)/python -m codesherpa.docs.generated

lock: .venv/installed-dev  ## resolve requirements*.in anew into requirements*.txt (UPGRADE=--upgrade takes the newest)
	$(BIN)/uv pip compile $(LOCK) requirements.in --output-file requirements.txt
	$(BIN)/uv pip compile $(LOCK) --constraints requirements.txt requirements-dev.in --output-file requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK) --constraints requirements.txt requirements-tracing.in --output-file requirements-tracing.txt
	$(BIN)/uv pip compile $(LOCK) --constraints requirements.txt requirements-bench.in --output-file requirements-bench.txt

# Strict: a package that no advisory could be looked up for is a failure, not a pass.
audit: .venv/installed-dev  ## look for known vulnerabilities in what is installed, of Python and of Node
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements-dev.txt --requirement requirements-bench.txt
	@for folder in $(AUDITED); do npm audit --prefix $$folder || exit 1; done

deliveries: .venv/installed-dev  ## 10,000 deliveries of GitHub and WhatsApp, three times each, while workers are killed
	@$(BIN)/python -m tests.chaos.github $(ARGS)
	@$(BIN)/python -m tests.chaos.whatsapp $(ARGS)

lint: .venv/installed-dev  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

coverage: .venv/installed-dev tests/live/node_modules/installed  ## which branches no test takes; fails below 95 %
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

bench: .venv/installed-bench  ## measure it, beside references of the same run, into benchmarks/report.md (ARGS=--quick: does it work?)
	@$(BIN)/python -m benchmarks $(ARGS)

clean:  ## remove what the commands above made, but no data
	rm -rf .venv tests/*/node_modules web/node_modules test-results .pytest_cache .mypy_cache .ruff_cache
