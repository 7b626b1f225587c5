# Everything runs in this project's own virtual environment, made from tests/requirements.txt.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.requirements-installed
TESTS := $(PYTHON) tests/run.py

# Programs of the environment find each other.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help venv lint sanity unit integration molecule molecule-drain molecule-restore molecule-multihop molecule-resume molecule-rollback molecule-field molecule-single molecule-external-etcd test-large test bench-drain bench-etcd bench-plan bench-upgrade chaos docs-check role-docs finding-docs lab lab-destroy demo clean test-power-loss

help: ## Show what can be made.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

venv: $(READY) ## Make the virtual environment; the other targets do so when it is needed.

$(READY): requirements.txt tests/requirements.txt
	@command -v git > /dev/null || { echo "git is missing (Debian, Ubuntu: apt-get install git)" >&2; exit 1; }
	@command -v openssl > /dev/null || { echo "openssl is missing (Debian, Ubuntu: apt-get install openssl)" >&2; exit 1; }
	@command -v gpg > /dev/null || { echo "gpg is missing (Debian, Ubuntu: apt-get install gnupg)" >&2; exit 1; }
	@command -v $(PYTHON3) > /dev/null || { echo "$(PYTHON3) is missing (Debian, Ubuntu: apt-get install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON3) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$$($(PYTHON3) --version) found; Python 3.11, 3.12 or 3.13 is needed (name one: make PYTHON3=python3.12 ...)" >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2> /dev/null || \
	  { echo "Python's venv module is missing (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	touch $@

lint: $(READY) ## Static checks, documentation, and the built collection; a few minutes.
	$(TESTS) lint

sanity: $(READY) ## The sanity tests of ansible-test.
	$(TESTS) sanity

unit: $(READY) ## Tests of decisions, on tables of cases; seconds.
	$(TESTS) units

integration: $(READY) ## Tests against real etcd and Kubernetes API servers.
	$(TESTS) integration

molecule: $(READY) ## A real upgrade on the lab, checked, and a second run that changes nothing.
	$(TESTS) molecule

molecule-drain: $(READY) ## A drain on the lab under traffic; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name drain
	$(VENV)/bin/molecule test --scenario-name drain --destroy never

molecule-restore: $(READY) ## A restore on the lab, killed at each of its steps, and the page about it; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name restore
	$(VENV)/bin/molecule test --scenario-name restore --destroy never
	$(PYTHON) tests/page.py docs/backup-and-restore.md

molecule-multihop: $(READY) ## An upgrade on the lab over three minors, from 1.33 to 1.36, in one run; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name multihop
	$(VENV)/bin/molecule test --scenario-name multihop --destroy never

molecule-resume: $(READY) ## An upgrade on the lab, killed at its steps and run again; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name resume
	$(VENV)/bin/molecule test --scenario-name resume --destroy never

molecule-rollback: $(READY) ## An upgrade on the lab that is taken back, made again and finalized; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name rollback
	$(VENV)/bin/molecule test --scenario-name rollback --destroy never

molecule-field: $(READY) ## An upgrade of a lab with what years leave behind; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name field
	$(VENV)/bin/molecule test --scenario-name field --destroy never

molecule-single: $(READY) ## An upgrade of a lab with one control-plane node and one worker; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name single
	$(VENV)/bin/molecule test --scenario-name single --destroy never

molecule-external-etcd: $(READY) ## An upgrade of a lab with an external etcd; not part of `make test`.
	$(VENV)/bin/molecule reset --scenario-name external-etcd
	$(VENV)/bin/molecule test --scenario-name external-etcd --destroy never

test-large: $(READY) ## An etcd with 2 GB of keys; not part of `make test`.
	$(PYTHON) -m pytest tests/large

test-power-loss: $(READY) ## A real node that loses its power at each step of a swap; not part of `make test`.
	$(PYTHON) -m pytest tests/power_loss

test: $(READY) ## All of the above.
	$(TESTS)

bench-drain: $(READY) ## Drains by drain_node, kubectl and kubernetes.core beside each other; see docs/benchmarks.md.
	$(PYTHON) tests/bench drain

bench-etcd: $(READY) ## etcd snapshots by etcd_snapshot, etcdctl and etcdutl beside each other; see docs/benchmarks.md.
	$(PYTHON) tests/bench etcd

bench-plan: $(READY) ## skew_check on clusters of 1,000 and 5,000 nodes; see docs/benchmarks.md.
	$(PYTHON) tests/bench plan

bench-upgrade: $(READY) ## The lab upgraded by upgrade.yml and by the documentation's procedure beside each other; see docs/benchmarks.md.
	$(PYTHON) tests/bench upgrade

chaos: $(READY) ## Faults at each step of an upgrade of the lab, and what becomes of it; an hour or more; not part of `make test`.
	$(PYTHON) tests/chaos

docs-check: $(READY) ## The checks about documentation only.
	$(TESTS) docs

role-docs: $(READY) ## Write the page of each role from its argument_specs.
	for role in roles/*/; do aar-doc --output-mode replace --output-file README.md "$$role" markdown; done

finding-docs: $(READY) ## Write the page of each finding from the catalogue.
	PYTHONPATH=.collections:tests $(PYTHON) -m runner.finding_docs

lab: $(READY) ## Bring up a real kubeadm cluster on this machine.
	$(PYTHON) -m lab up

lab-destroy: $(READY) ## Remove all that the lab made.
	$(PYTHON) -m lab destroy

demo: $(READY) ## Upgrade the lab's cluster under traffic and write the report.
	$(PYTHON) -m lab demo

clean: ## Remove what tests and builds left in this directory; the virtual environment and artifacts/ stay.
	rm -rf .cache .ansible tests/output
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
