# Two targets matter to a stranger: `make acceptance` and `make test`. Everything they need is installed by them, on a Debian machine, as root.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
# One more than there are processors: unit tests wait as often as they work.
WORKERS := $(shell expr $$(nproc) + 1)

.PHONY: acceptance test check bench lab-down vm-image sabotage clean
.DEFAULT_GOAL := help

help:
	@echo "make acceptance [ARGS=\"features/c4_cleanroom.feature -k reboot\"]   every feature, cold, against the embedded lab; leaves reports/latest/"
	@echo "make test                  the suite's own tests"
	@echo "make check                 ruff, mypy --strict, unit tests: under a minute"
	@echo "make sabotage [ONLY=c4] [STATIC=1]   break the lab's site in named ways; each must turn its scenario red, for its reason"
	@echo "make kill-matrix [ONLY=provision]    cut runs off at named points; nothing of them may be left"
	@echo "make mutants [ONLY=ledger]  wrong versions of the library's own code, each of which a unit test must notice"
	@echo "make bench                 measurements, as ratios side by side"
	@echo "make vm-image              the lab's image for virtual machines (docs/virtual-machines.md)"
	@echo "make lab-down              end the lab and leave nothing of it"

$(STAMP): pyproject.toml lab/venv
	bash lab/venv $(VENV)
	touch $(STAMP)

.PHONY: machine
machine: $(STAMP)
	bash lab/install

.PHONY: browser
browser: $(STAMP)
	bash tests/browser/install $(VENV)

acceptance: machine
	$(VENV)/bin/pytest $(if $(ARGS),$(ARGS),features)

test: check browser
	$(VENV)/bin/pytest -q -n auto tests/proofs
	$(VENV)/bin/pytest tests/plugin tests/browser tests/lab tests/interop

# The unit tests are shared out by halves, so that what a file makes for its tests is made once; compiled ones are kept whatever the environment
# says, for each process of xdist would rewrite every assertion again.
check: machine
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	env -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/pytest -q -n $(WORKERS) --dist worksteal tests/unit

sabotage: machine
	$(PY) -m tests.sabotage $(if $(STATIC),--static) $(ONLY)

.PHONY: kill-matrix
kill-matrix: machine
	$(PY) -m tests.kill $(ONLY)

.PHONY: mutants
mutants: machine
	$(PY) -m tests.mutation $(ONLY)

bench: machine
	command -v rg >/dev/null || apt-get install -y -qq --no-install-recommends ripgrep
	$(PY) -m bench

vm-image: machine
	command -v qemu-img sgdisk mformat > /dev/null || apt-get install -y -qq --no-install-recommends qemu-utils gdisk mtools
	$(VENV)/bin/cleanroom lab up
	$(VENV)/bin/cleanroom lab vm-image

lab-down: $(STAMP)
	$(VENV)/bin/cleanroom lab down

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache *.egg-info
