# Every command that a person or CI runs. ENV is the one switch; SOURCE names the data to stage.
ENV     ?= local
SOURCE  ?= auto
PYTHON  ?= python3
VENV    ?= .venv

PY        := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
FUNCTIONS := serialize classify filter
ZIPS      := $(FUNCTIONS:%=build/lambdas/%.zip)
CODE      := common staging training registry evaluation deployment scripts lambdas tests benchmarks
CHECKOV   := .tools/checkov
SETTINGS  := terraform/environments/$(ENV).tfvars

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup lock lambdas bootstrap state plan apply comment summary up stage train tune models approve reject \
        rollback lineage transform deploy extend run evaluate monitor report demo drift drift-issue cost down \
        test test-unit test-contract test-e2e coverage lint checkov docs fmt clean benchmark

ifeq ($(wildcard $(SETTINGS)),)
$(error ENV=$(ENV) is none of $(basename $(notdir $(wildcard terraform/environments/*.tfvars))))
endif

# What an environment brings along: PREREQUISITES, a target that every command stands on; AWS_ENV, a prefix of every
# command that talks to AWS; CLEANUP, what is left to do once nothing is deployed.
-include terraform/environments/$(ENV).mk
# EPOCHS and PRETRAINED are hyperparameters like others, said so often that they have names of their own
SETTINGS_OF_JOB = $(SET) $(if $(EPOCHS),epochs=$(EPOCHS)) $(if $(PRETRAINED),pretrained=$(PRETRAINED))
yes      = $(filter-out 0 no false,$(1))
TRAINING = $(if $(ALGORITHM),--algorithm '$(ALGORITHM)') $(if $(call yes,$(PRETRAIN)),--pretrain) \
           $(if $(strip $(SETTINGS_OF_JOB)),--set $(SETTINGS_OF_JOB))
SCRIPT = @$(AWS_ENV) $(PY) -m scripts.$(1) --env $(ENV)
# More processes than two cores, because Terraform and SageMaker spend much of their time waiting
WORKERS ?= 4
pytest   = @$(PY) -m pytest --numprocesses $(1) --dist loadgroup --no-loadscope-reorder $(ARGS)
quote  = '$(subst ','\'',$(1))'
step   = @printf '\n== %s (%s)\n' '$@' '$(ENV)'

help: ## this list
	@printf 'make TARGET [ENV=local|dev|prod] [SOURCE=auto|sample|PATH|URL]\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile terraform/environments/local.mk

setup: $(INSTALLED) ## install the dependencies, and Terraform where it is missing

$(INSTALLED): pyproject.toml emulator/pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'error: Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'installing the dependencies into $(VENV) (some minutes and 2 GB the first time)'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	@for group in runtime local test; do \
	  echo "  $$group"; \
	  $(PY) -m pip install --quiet --constraint requirements.lock --group $$group || exit 1; \
	done
	@echo '  emulator'; $(PY) -m pip install --quiet --constraint requirements.lock --editable './emulator[pytorch,tuning]'
	@$(PY) -m scripts.setup
	@touch $@

lock: ## write requirements.lock anew from pyproject.toml
	@$(PY) -m pip install --quiet uv
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-header \
	  --no-emit-index-url --group runtime --group local --group test --all-extras --output-file requirements.lock pyproject.toml emulator/pyproject.toml

lambdas: $(ZIPS) ## zip the functions: the same sources give the same bytes

$(ZIPS): build/lambdas/%.zip: lambdas/%/handler.py scripts/package.py
	@$(PYTHON) -m scripts.package lambdas/$* $@

bootstrap: $(INSTALLED) $(PREREQUISITES) ## an account's ground, once: state, GitHub's roles (REPOSITORY)
	$(call step)
	$(call SCRIPT,bootstrap) --repository '$(REPOSITORY)'

state: $(INSTALLED) $(PREREQUISITES) ## keep Terraform's state in the bucket that bootstrap made
	$(call step)
	$(call SCRIPT,state)

plan: $(INSTALLED) $(PREREQUISITES) lambdas ## show what `make up` would change
	$(call step)
	$(call SCRIPT,provision) plan

apply: $(INSTALLED) $(PREREQUISITES) lambdas ## apply exactly what the last `make plan` kept
	$(call step)
	$(call SCRIPT,provision) apply

comment: $(INSTALLED) ## tell PULL_REQUEST what `make plan` and `make cost` found
	@$(PY) -m scripts.github --env $(ENV) comment

summary: $(INSTALLED) ## the same, on the page of GitHub's run
	@$(PY) -m scripts.github --env $(ENV) summary

up: $(INSTALLED) $(PREREQUISITES) lambdas ## create or change everything that Terraform declares
	$(call step)
	$(call SCRIPT,provision) up

stage: $(INSTALLED) $(PREREQUISITES) ## bring SOURCE's images to S3 (FORMAT=recordio: as shards)
	$(call step)
	$(call SCRIPT,stage) --source '$(SOURCE)' $(if $(FORMAT),--format '$(FORMAT)') $(if $(call yes,$(PRETRAIN)),--others)

train: $(INSTALLED) $(PREREQUISITES) ## train in a SageMaker job, judge the model, register it
	$(call step)
	$(call SCRIPT,train) $(TRAINING)

tune: $(INSTALLED) $(PREREQUISITES) ## search hyperparameters in a tuning job (JOBS, PARALLEL)
	$(call step)
	$(call SCRIPT,tune) $(TRAINING) $(if $(JOBS),--jobs $(JOBS)) $(if $(PARALLEL),--parallel $(PARALLEL))

models: $(INSTALLED) $(PREREQUISITES) ## list the registered models, which is in use and why
	$(call SCRIPT,models)

approve: $(INSTALLED) $(PREREQUISITES) ## put MODEL into use, or the newest that waits for a person
	$(call step)
	$(call SCRIPT,approval) approve --model '$(MODEL)' --reason $(call quote,$(REASON))

reject: $(INSTALLED) $(PREREQUISITES) ## keep MODEL from being used, for a REASON
	$(call step)
	$(call SCRIPT,approval) reject --model '$(MODEL)' --reason $(call quote,$(REASON))

rollback: $(INSTALLED) $(PREREQUISITES) ## put the model that was in use before into use again
	$(call step)
	$(call SCRIPT,approval) rollback

lineage: $(INSTALLED) $(PREREQUISITES) ## where EXECUTION's answer, or MODEL, comes from (VERIFY=1)
	$(call SCRIPT,lineage) --execution '$(EXECUTION)' --model '$(MODEL)' $(if $(call yes,$(VERIFY)),--verify)

transform: $(INSTALLED) $(PREREQUISITES) ## classify every image below INPUT, a folder in the bucket
	$(call step)
	$(call SCRIPT,transform) --input '$(INPUT)'

deploy: $(INSTALLED) $(PREREQUISITES) lambdas ## put the approved model behind the endpoint
	$(call step)
	$(call SCRIPT,provision) deploy

extend: $(INSTALLED) $(PREREQUISITES) ## let the endpoint live for HOURS longer
	$(call step)
	$(call SCRIPT,lifetime) --hours '$(HOURS)'

run: $(INSTALLED) $(PREREQUISITES) ## send the test images through the workflow
	$(call step)
	$(call SCRIPT,run)

evaluate: $(INSTALLED) $(PREREQUISITES) ## accuracy, confusion, coverage (PRECISION=0.98: its threshold)
	$(call step)
	$(call SCRIPT,evaluate) $(if $(PRECISION),--precision '$(PRECISION)')

monitor: $(INSTALLED) $(PREREQUISITES) ## read what the endpoint captured, and plot it
	$(call step)
	$(call SCRIPT,monitor)

report: $(INSTALLED) $(PREREQUISITES) ## one page with all of it: build/ENV/report.html
	$(call step)
	$(call SCRIPT,report)

demo: up stage train deploy run evaluate monitor report ## everything, from nothing to the report

drift: $(INSTALLED) $(PREREQUISITES) lambdas ## fail unless the live stack is what the code declares
	$(call step)
	$(call SCRIPT,provision) drift

drift-issue: $(INSTALLED) ## tell GitHub, in an issue, what `make drift` found
	@$(PY) -m scripts.github --env $(ENV) issue

cost: $(INSTALLED) $(PREREQUISITES) lambdas ## what the planned environment costs
	$(call step)
	$(call SCRIPT,cost)

down: $(INSTALLED) $(PREREQUISITES) lambdas ## destroy everything (prod asks for CONFIRM=prod)
	$(call step)
	$(call SCRIPT,provision) down --confirm '$(CONFIRM)'
	@$(CLEANUP)

test: $(INSTALLED) ## run all tests (ARGS="-k stage": options for pytest)
	$(call pytest,$(WORKERS))

test-unit: $(INSTALLED) ## run the unit tests
	$(call pytest,auto) tests/unit emulator/tests/unit

test-contract: $(INSTALLED) ## run the tests of Terraform, the packages and AWS's APIs against the emulator
	$(call pytest,$(WORKERS)) tests/contract emulator/tests/contract

test-e2e: $(INSTALLED) ## run the whole workflow by make targets
	$(call pytest,$(WORKERS)) tests/e2e

coverage: $(INSTALLED) ## run the unit tests, and report which lines they cover
	$(call pytest,auto) --cov --cov-report=term:skip-covered tests/unit emulator/tests/unit

lint: $(INSTALLED) ## ruff, mypy, terraform fmt, workflows, the modules' manuals
	@$(PY) -m ruff check $(CODE) emulator
	@$(PY) -m ruff format --check $(CODE) emulator
	@$(PY) -m mypy $(CODE)
	@cd emulator && $(abspath $(PY)) -m mypy sagelocal tests
	@$(PY) -m scripts.setup >/dev/null && env -u TF_CLI_CONFIG_FILE PATH="$$PWD/.tools:$$PATH" terraform fmt -check -recursive terraform
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/bin/zizmor --offline --quiet --no-progress .github/workflows
	@$(PY) -m scripts.manuals --check

docs: $(INSTALLED) ## write the tables of the modules' manuals anew
	@$(PY) -m scripts.manuals

checkov: ## look for what is unsafe in the Terraform
	@test -x $(CHECKOV)/bin/checkov || { echo 'installing checkov into $(CHECKOV) (300 MB, once)'; \
	  $(PYTHON) -m venv $(CHECKOV) && $(CHECKOV)/bin/pip install --quiet checkov==3.3.30; }
	@$(CHECKOV)/bin/checkov -d terraform --framework terraform --skip-download --compact --quiet

fmt: $(INSTALLED) ## format Python and Terraform
	@$(PY) -m ruff check --fix --quiet $(CODE) emulator
	@$(PY) -m ruff format --quiet $(CODE) emulator
	@env -u TF_CLI_CONFIG_FILE PATH="$$PWD/.tools:$$PATH" terraform fmt -recursive terraform

benchmark: $(INSTALLED) ## the table of benchmarks/ for the archive in SOURCE
	@$(PY) -m benchmarks '$(SOURCE)'

clean: ## remove what was built here; what is deployed stays
	@$(CLEANUP)
	@rm -rf build/$(ENV) build/lambdas .mypy_cache .ruff_cache .pytest_cache .coverage*
