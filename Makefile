# make demo   builds, runs and serves the bundled project
# make test   installs what the tests need, and runs them all on both stores
# make clients  installs OWSLib and QGIS, and reads the service with them as docs/clients.md says
# make check  format, vet, staticcheck, and the tests with the race detector
# make bench  the table of speeds, as ratios against PostGIS and bare handlers in the same run

SHELL := /bin/bash
export CGO_ENABLED ?= 0
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# Real files, where someone has put them: the tests that need them are skipped otherwise.
ifneq ($(wildcard ../shared/real/README.md),)
export OBSERVATOIRE_REAL ?= $(abspath ../shared/real)
endif

.PHONY: build viewer demo test clients check bench deps npm clean

build: viewer
	go build -o bin/observatoire ./cmd/observatoire

# The interactive map, built by npm and embedded. Without npm the program says that it is not there.
VIEWER := tiles/web/dist/viewer/index.html
ifneq ($(shell command -v npm),)
viewer: $(VIEWER)
$(VIEWER): $(wildcard tiles/web/src/* tiles/web/*.json tiles/web/*.ts tiles/web/index.html)
	cd tiles/web && { cmp -s package-lock.json node_modules/installed.json || { npm ci --ignore-scripts --silent && cp package-lock.json node_modules/installed.json; }; } && npm run --silent build -- --logLevel warn
	@touch $@
else
viewer:
	@echo "npm is not installed: the program is built without its interactive map"
endif

ADDR ?= :8080
demo: build
	./bin/observatoire demo --dir bin/demo --addr $(ADDR)

# PostgreSQL, PostGIS, the tools the results are checked with, the browser the map is tried in.
PACKAGES := postgresql-15-postgis-3 gdal-bin proj-bin sqlite3 chromium
deps:
	@if ! dpkg -s $(PACKAGES) >/dev/null 2>&1; then \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; fi

# What tiles and styles are checked with; the tests that need it are skipped where there is no npm.
ifneq ($(shell command -v npm),)
export OBSERVATOIRE_NPM ?= $(abspath bin/npm)
npm:
	@mkdir -p $(OBSERVATOIRE_NPM) && cp tiles/testdata/npm/package*.json tiles/testdata/npm/.npmrc $(OBSERVATOIRE_NPM)/ && \
	  cd $(OBSERVATOIRE_NPM) && { cmp -s package-lock.json installed.json || { npm ci --ignore-scripts --silent && cp package-lock.json installed.json; }; }
else
npm:
	@echo "npm is not installed: the checks of tiles and style against its packages are skipped"
endif

test: deps npm viewer
	.ci/with-postgres .ci/tests

CLIENTS := python3-owslib python3-qgis qgis-providers
clients: deps
	@if ! dpkg -s $(CLIENTS) >/dev/null 2>&1; then \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(CLIENTS) >/dev/null; fi
	OBSERVATOIRE_CLIENTS=1 .ci/with-postgres go test -count=1 -run 'TestClients|TestGDAL|TestQGIS' ./tiles ./data/store

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
check: deps npm viewer
	@test -z "$$(gofmt -l .)" || { echo "gofmt:"; gofmt -l .; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	GOOS=windows go build -o /dev/null ./cmd/observatoire
	CGO_ENABLED=1 .ci/with-postgres go test -race -timeout 60m ./...

bench: deps
	.ci/with-postgres .ci/bench

clean:
	rm -rf bin data/out tiles/web/dist/viewer tiles/web/node_modules
