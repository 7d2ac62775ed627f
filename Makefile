# make demo            all of Longshore and a fleet of stand-in hosts on this machine; Ctrl-C ends it
# make demo ONCE=1     the same, and it ends by itself
# make test            everything that CI runs: make check, then all test tiers
# make check           linters, types, layers, shell scripts
# make lowest          tests with the lowest versions of dependencies that pyproject.toml allows
# make kerberos        logins with tickets of a real KDC; needs gcc, python3-dev, libkrb5-dev, krb5-user, krb5-kdc,
#                      krb5-admin-server
# make chaos N=200     N schedules of faults drawn from a seed, and what became of the promises
# make bench           Longshore and its peers, side by side
# make clean           remove what these make

VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
KERBEROS := .venv-kerberos
KERBEROS_TESTS := tests/integration/winrm/test_transport_kerberos.py
SHELL_SCRIPTS = .ci/run $(shell find . -name '*.sh' -not -path './.*/*' -o -path './.ci/*.sh')
DEMO_HOSTS := 12
N := 200

.PHONY: check test test-units test-services packages lowest kerberos demo chaos bench clean

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck $(SHELL_SCRIPTS)

# The units' tests mostly wait, and so run beside the others; what they print comes when they have ended.
test: packages check
	$(MAKE) --jobs=2 test-units test-services

test-units:
	@mkdir -p .cache
	@$(BIN)/python -m pytest tests/unit > .cache/test-units.log 2>&1; ended=$$?; cat .cache/test-units.log; exit $$ended

# Logins with Kerberos are a tier of their own: their packages are compiled where they are installed (make kerberos).
test-services:
	$(BIN)/python -m pytest --ignore=tests/unit --ignore=$(KERBEROS_TESTS)

packages:
	.ci/packages.sh

lowest: $(LOWEST)/installed
	$(LOWEST)/bin/lint-imports
	$(LOWEST)/bin/python -m pytest tests/unit tests/integration/runs tests/browser

kerberos: $(KERBEROS)/installed
	CI=true $(KERBEROS)/bin/python -m pytest $(KERBEROS_TESTS)

demo: $(VENV)/installed-lab
	$(BIN)/python -m lab.demo --hosts $(DEMO_HOSTS) $(if $(ONCE),--once)

chaos: packages $(VENV)/installed-dev
	$(BIN)/python -m tests.chaos --runs $(N)

bench: $(VENV)/installed-dev
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) $(LOWEST) $(KERBEROS) .demo .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two sizes of one environment: the demo needs no linters.
$(VENV)/installed-lab: pyproject.toml .ci/venv.sh
	.ci/venv.sh $(VENV) lab
	touch $@

$(VENV)/installed-dev: pyproject.toml .ci/venv.sh
	.ci/venv.sh $(VENV) lab,dev
	touch $@ $(VENV)/installed-lab

$(LOWEST)/installed: pyproject.toml .ci/venv.sh
	.ci/venv.sh $(LOWEST) lab,dev lowest
	touch $@

$(KERBEROS)/installed: pyproject.toml .ci/venv.sh
	.ci/venv.sh $(KERBEROS) lab,dev,kerberos-lab
	touch $@
