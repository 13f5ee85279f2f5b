# All commands for people and CI. ENV selects the environment, SOURCE the data to stage.
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

# Where the virtual environment was created, if that is another directory: its programs contain the path
MOVED_FROM := $(shell created=$$(sed -n 's/^command = .* -m venv //p' '$(VENV)/pyvenv.cfg' 2>/dev/null); \
  test -z "$$created" -o "$$created" -ef '$(VENV)' || echo "$$created")
ifneq ($(MOVED_FROM),)
$(error $(VENV) was created as $(MOVED_FROM), so this clone was renamed or copied: run `rm -r $(VENV)`, then `make setup`)
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup lock lambdas bootstrap state plan apply comment summary up stage train tune models approve reject \
        rollback lineage transform deploy extend run evaluate monitor report demo drift drift-issue cost down \
        test test-unit test-contract test-e2e coverage wheel lint checkov docs fmt clean benchmark

ifeq ($(wildcard $(SETTINGS)),)
$(error ENV must be one of $(basename $(notdir $(wildcard terraform/environments/*.tfvars))) (got $(ENV)))
endif

# Settings of an environment: PREREQUISITES, a target that every command depends on; AWS_ENV, a prefix of every command
# that calls AWS; CLEANUP, a command that runs after everything is destroyed.
-include terraform/environments/$(ENV).mk
# EPOCHS and PRETRAINED are short forms of two hyperparameters
SETTINGS_OF_JOB = $(SET) $(if $(EPOCHS),epochs=$(EPOCHS)) $(if $(PRETRAINED),pretrained=$(PRETRAINED))
yes      = $(filter-out 0 no false,$(1))
TRAINING = $(if $(ALGORITHM),--algorithm '$(ALGORITHM)') $(if $(call yes,$(PRETRAIN)),--pretrain) \
           $(if $(strip $(SETTINGS_OF_JOB)),--set $(SETTINGS_OF_JOB))
SCRIPT = @$(AWS_ENV) $(PY) -m scripts.$(1) --env $(ENV)
# Above the number of cores of a small machine, because tests wait for Terraform and SageMaker most of the time
WORKERS ?= 4
pytest   = @$(PY) -m pytest --numprocesses $(1) --dist loadgroup --no-loadscope-reorder $(ARGS)
quote  = '$(subst ','\'',$(1))'
step   = @printf '\n== %s (%s)\n' '$@' '$(ENV)'

help: ## list the targets
	@printf 'make TARGET [ENV=local|dev|prod] [SOURCE=auto|sample|PATH|URL]\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile terraform/environments/local.mk

setup: $(INSTALLED) ## install the dependencies, and Terraform if it is missing

$(INSTALLED): pyproject.toml emulator/pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'error: Python 3.11 or newer is required: run make setup PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'installing the dependencies into $(VENV) (a few minutes and 2 GB the first time)'
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	@for group in runtime local test; do \
	  echo "  $$group"; \
	  $(PY) -m pip install --quiet --constraint requirements.lock --group $$group || exit 1; \
	done
	@echo '  emulator'
	@$(PY) -m pip install --quiet --constraint requirements.lock --editable './emulator[pytorch,tuning]'
	@$(PY) -m scripts.setup
	@touch $@

lock: ## update requirements.lock from both pyproject.toml files
	@$(PY) -m pip install --quiet uv
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-header \
	  --no-emit-index-url --group runtime --group local --group test --group emulator/pyproject.toml:test --all-extras \
	  --output-file requirements.lock pyproject.toml emulator/pyproject.toml

lambdas: $(ZIPS) ## zip the Lambda functions, reproducibly

$(ZIPS): build/lambdas/%.zip: lambdas/%/handler.py scripts/package.py
	@$(PYTHON) -m scripts.package lambdas/$* $@

bootstrap: $(INSTALLED) $(PREREQUISITES) ## create an account's state bucket and GitHub roles (REPOSITORY)
	$(call step)
	$(call SCRIPT,bootstrap) --repository '$(REPOSITORY)'

state: $(INSTALLED) $(PREREQUISITES) ## move Terraform's state to the state bucket
	$(call step)
	$(call SCRIPT,state)

plan: $(INSTALLED) $(PREREQUISITES) lambdas ## show what `make up` would change
	$(call step)
	$(call SCRIPT,provision) plan

apply: $(INSTALLED) $(PREREQUISITES) lambdas ## apply exactly the plan that `make plan` saved
	$(call step)
	$(call SCRIPT,provision) apply

comment: $(INSTALLED) ## comment on PULL_REQUEST what `plan` and `cost` found
	@$(PY) -m scripts.github --env $(ENV) comment

summary: $(INSTALLED) ## add what `plan` and `cost` found to the GitHub run's page
	@$(PY) -m scripts.github --env $(ENV) summary

up: $(INSTALLED) $(PREREQUISITES) lambdas ## create or update everything that Terraform declares
	$(call step)
	$(call SCRIPT,provision) up

stage: $(INSTALLED) $(PREREQUISITES) ## upload the images of SOURCE to S3 (FORMAT=recordio: as shards)
	$(call step)
	$(call SCRIPT,stage) --source '$(SOURCE)' $(if $(FORMAT),--format '$(FORMAT)') $(if $(call yes,$(PRETRAIN)),--other-classes)

train: $(INSTALLED) $(PREREQUISITES) ## train a model, check it with the quality gate, register it
	$(call step)
	$(call SCRIPT,train) $(TRAINING)

tune: $(INSTALLED) $(PREREQUISITES) ## run a hyperparameter tuning job (JOBS, PARALLEL)
	$(call step)
	$(call SCRIPT,tune) $(TRAINING) $(if $(JOBS),--jobs $(JOBS)) $(if $(PARALLEL),--parallel $(PARALLEL))

models: $(INSTALLED) $(PREREQUISITES) ## list the model versions, with status and gate result
	$(call SCRIPT,models)

approve: $(INSTALLED) $(PREREQUISITES) ## approve and promote MODEL, or the newest pending version
	$(call step)
	$(call SCRIPT,approval) approve --model '$(MODEL)' --reason $(call quote,$(REASON))

reject: $(INSTALLED) $(PREREQUISITES) ## reject MODEL for a REASON
	$(call step)
	$(call SCRIPT,approval) reject --model '$(MODEL)' --reason $(call quote,$(REASON))

rollback: $(INSTALLED) $(PREREQUISITES) ## promote the version that was in use before
	$(call step)
	$(call SCRIPT,approval) rollback

lineage: $(INSTALLED) $(PREREQUISITES) ## trace EXECUTION or MODEL to job, data and code (VERIFY=1)
	$(call SCRIPT,lineage) --execution '$(EXECUTION)' --model '$(MODEL)' $(if $(call yes,$(VERIFY)),--verify)

transform: $(INSTALLED) $(PREREQUISITES) ## classify every image below the key prefix INPUT
	$(call step)
	$(call SCRIPT,transform) --input '$(INPUT)'

deploy: $(INSTALLED) $(PREREQUISITES) lambdas ## deploy the approved model to the endpoint
	$(call step)
	$(call SCRIPT,provision) deploy

extend: $(INSTALLED) $(PREREQUISITES) ## extend the endpoint's time to live by HOURS
	$(call step)
	$(call SCRIPT,extend) --hours '$(HOURS)'

run: $(INSTALLED) $(PREREQUISITES) ## classify every test image with the state machine
	$(call step)
	$(call SCRIPT,run)

evaluate: $(INSTALLED) $(PREREQUISITES) ## evaluate the run (PRECISION=0.98 finds the threshold)
	$(call step)
	$(call SCRIPT,evaluate) $(if $(PRECISION),--precision '$(PRECISION)')

monitor: $(INSTALLED) $(PREREQUISITES) ## plot captured predictions of the model in use, or MODEL
	$(call step)
	$(call SCRIPT,monitor) $(if $(MODEL),--model '$(MODEL)')

report: $(INSTALLED) $(PREREQUISITES) ## write all results to build/ENV/report.html
	$(call step)
	$(call SCRIPT,report)

demo: up stage train deploy run evaluate monitor report ## run the whole workflow: up to report

drift: $(INSTALLED) $(PREREQUISITES) lambdas ## fail if the deployed stack differs from the code
	$(call step)
	$(call SCRIPT,provision) drift

drift-issue: $(INSTALLED) ## open a GitHub issue with what `drift` found
	@$(PY) -m scripts.github --env $(ENV) issue

cost: $(INSTALLED) $(PREREQUISITES) lambdas ## estimate the costs of the planned environment
	$(call step)
	$(call SCRIPT,cost)

down: $(INSTALLED) $(PREREQUISITES) lambdas ## destroy everything (prod needs CONFIRM=prod)
	$(call step)
	$(call SCRIPT,provision) down --confirm '$(CONFIRM)'
	@$(CLEANUP)

test: $(INSTALLED) ## run all tests (ARGS="-k stage" passes options to pytest)
	$(call pytest,$(WORKERS))

test-unit: $(INSTALLED) ## run the unit tests
	$(call pytest,auto) tests/unit emulator/tests/unit

test-contract: $(INSTALLED) ## run the tests against the emulator
	$(call pytest,$(WORKERS)) tests/contract emulator/tests/contract

test-e2e: $(INSTALLED) ## run the end-to-end tests
	$(call pytest,$(WORKERS)) tests/e2e

coverage: $(INSTALLED) ## run the unit tests and report their coverage
	$(call pytest,auto) --cov --cov-report=term:skip-covered tests/unit emulator/tests/unit
	@$(if $(GITHUB_STEP_SUMMARY),$(PY) -m coverage report --format=markdown >> '$(GITHUB_STEP_SUMMARY)')

wheel: ## build the emulator's wheel and test it in an empty environment
	@.ci/wheel

lint: $(INSTALLED) ## check style, types, Terraform, workflows, module READMEs
	@$(PY) -m ruff check $(CODE) emulator
	@$(PY) -m ruff format --check $(CODE) emulator
	@$(PY) -m mypy $(CODE)
	@cd emulator && $(abspath $(PY)) -m mypy sagelocal tests
	@$(PY) -m scripts.setup >/dev/null && env -u TF_CLI_CONFIG_FILE PATH="$$PWD/.tools:$$PATH" terraform fmt -check -recursive terraform
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/bin/zizmor --offline --quiet --no-progress .github/workflows
	@$(PY) -m scripts.module_docs --check

docs: $(INSTALLED) ## update the tables in the Terraform modules' READMEs
	@$(PY) -m scripts.module_docs

checkov: ## scan the Terraform code for security problems
	@test -x $(CHECKOV)/bin/checkov || { echo 'installing checkov into $(CHECKOV) (300 MB, once)'; \
	  $(PYTHON) -m venv $(CHECKOV) && $(CHECKOV)/bin/pip install --quiet checkov==3.3.30; }
	@$(CHECKOV)/bin/checkov -d terraform --framework terraform --skip-download --compact --quiet

fmt: $(INSTALLED) ## format Python and Terraform
	@$(PY) -m ruff check --fix --quiet $(CODE) emulator
	@$(PY) -m ruff format --quiet $(CODE) emulator
	@env -u TF_CLI_CONFIG_FILE PATH="$$PWD/.tools:$$PATH" terraform fmt -recursive terraform

benchmark: $(INSTALLED) ## print the benchmarks for the archive SOURCE
	@$(PY) -m benchmarks '$(SOURCE)'

clean: ## delete build results and caches, not deployed resources
	@$(CLEANUP)
	@rm -rf build/$(ENV) build/lambdas .mypy_cache .ruff_cache .pytest_cache .coverage*
