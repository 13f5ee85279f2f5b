# All commands for operators and CI. ENV selects the environment, and SOURCE selects the data to stage.
ENV     ?= local
SOURCE  ?= auto
PYTHON  ?= python3
VENV    ?= .venv

PY        := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
FUNCTIONS := serialize classify filter classify_batch summarize
ZIPS      := $(FUNCTIONS:%=build/lambdas/%.zip)
CODE      := common staging training registry evaluation deployment scripts lambdas tests benchmarks
CHECKOV   := .tools/checkov

ENVIRONMENTS := $(basename $(notdir $(wildcard terraform/environments/*.tfvars)))

# The path at which the virtual environment was created, or empty if the environment is still at this path. The
# environment's programs contain the path, so they do not run after the directory was renamed or copied.
MOVED_FROM := $(shell created=$$(sed -n 's/^command = .* -m venv //p' '$(VENV)/pyvenv.cfg' 2>/dev/null); \
  test -z "$$created" -o "$$created" -ef '$(VENV)' || echo "$$created")
ifneq ($(MOVED_FROM),)
$(error $(VENV) was created as $(MOVED_FROM), so this clone was renamed or copied: run `rm -r $(VENV)`, then `make setup`)
endif

# If PYTHONDONTWRITEBYTECODE were set, each of the hundreds of processes that the tests start would compile all modules
unexport PYTHONDONTWRITEBYTECODE

# Terraform and its provider are Go programs. With Go's default settings, they spend a fifth of their time on garbage
# collection, so these two variables restrict it: https://pkg.go.dev/runtime#hdr-Environment_Variables
export GOGC       ?= off
export GOMEMLIMIT ?= 1GiB

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup lock lambdas doctor bootstrap state plan apply comment summary up stage train retrain tune models approve \
        reject rollback lineage transform deploy extend classify execution export run batch evaluate monitor live threshold \
        data-drift report watch demo drift drift-issue cost image-costs down drivers driver delete-driver traffic select \
        review review-csv test test-unit test-contract test-e2e coverage wheel lint checkov docs fmt clean benchmark throughput

# ENV is compared with the names, because a search for the file would accept patterns such as ENV=*
ifneq ($(filter-out $(ENVIRONMENTS),$(ENV))$(words $(ENV)),1)
$(error ENV must be one of $(ENVIRONMENTS), such as ENV=local (got '$(ENV)'))
endif

# An environment may have a .mk file that sets PREREQUISITES, the targets that every command depends on; AWS_ENV, the
# prefix of each command that calls AWS; and CLEANUP, a command that `down` and `clean` run.
-include terraform/environments/$(ENV).mk

# Quote a text, or the value of a variable, for the shell. `value` keeps dollar signs as the user typed them.
quote_text = '$(subst ','\'',$(1))'
quote      = $(call quote_text,$(value $(1)))
# The option $(1) with the value of the variable $(2), if it has a value. With the equals sign, the value may begin with
# a dash.
option     = $(if $(value $(2)),$(1)=$(call quote,$(2)))
# Not empty if the value of the variable $(1) is 1, yes or true
yes        = $(if $(filter-out 0 1 no yes false true,$(value $(1))),$(error $(1) must be 0 or 1 (got '$(value $(1))')))$(filter 1 yes true,$(value $(1)))
# EPOCHS and PRETRAINED are short forms of two hyperparameters
HYPERPARAMETERS = $(strip $(value SET) $(if $(value EPOCHS),epochs=$(value EPOCHS)) \
                  $(if $(value PRETRAINED),pretrained=$(value PRETRAINED)))
TRAINING = $(call option,--algorithm,ALGORITHM) $(if $(call yes,PRETRAIN),--pretrain) \
           $(if $(HYPERPARAMETERS),--set=$(call quote_text,$(HYPERPARAMETERS)))
TIME_RANGE = $(call option,--since,SINCE) $(call option,--until,UNTIL)
SCRIPT   = @$(AWS_ENV) $(PY) -m scripts.$(1) --env $(ENV)
# More workers than a small machine has cores, because the tests wait for Terraform and the emulator most of the time
WORKERS ?= 6
pytest   = @$(PY) -m pytest --numprocesses $(call quote_text,$(1)) --dist loadgroup --no-loadscope-reorder $(ARGS)
step   = @printf '\n== %s (%s)\n' '$@' '$(ENV)'

help: ## list the targets
	@printf 'make TARGET [ENV=local|dev|prod] [SOURCE=auto|sample|FOLDER|ARCHIVE|URL]\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile terraform/environments/local.mk

setup: $(INSTALLED) ## install the dependencies, and Terraform if it is missing

$(INSTALLED): pyproject.toml emulator/pyproject.toml requirements.lock
	@$(call quote,PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 2))' || \
	  { echo 'error: Python 3.11.2 or newer is required: run make setup PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'installing the dependencies into $(VENV) (a few minutes and 2 GB the first time)'
	@$(call quote,PYTHON) -m venv $(VENV)
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
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11.2 --upgrade --no-annotate --no-header \
	  --no-emit-index-url --group runtime --group local --group test --group emulator/pyproject.toml:test --all-extras \
	  --output-file requirements.lock pyproject.toml emulator/pyproject.toml

lambdas: $(ZIPS) ## zip the Lambda functions, reproducibly

$(ZIPS): build/lambdas/%.zip: lambdas/%/handler.py scripts/package.py
	@$(call quote,PYTHON) -m scripts.package lambdas/$* $@

doctor: $(INSTALLED) $(PREREQUISITES) lambdas ## check credentials, tools, quotas and names before `make up`
	$(call SCRIPT,doctor)

bootstrap: $(INSTALLED) $(PREREQUISITES) ## create an account's state bucket and GitHub roles (REPOSITORY)
	$(call step)
	$(call SCRIPT,bootstrap) --repository=$(call quote,REPOSITORY)

state: $(INSTALLED) $(PREREQUISITES) ## move Terraform's state to the state bucket
	$(call step)
	$(call SCRIPT,state)

plan: $(INSTALLED) $(PREREQUISITES) lambdas ## show what `make up` would change
	$(call step)
	$(call SCRIPT,provision) plan

apply: $(INSTALLED) $(PREREQUISITES) lambdas ## apply exactly the plan that `make plan` saved
	$(call step)
	$(call SCRIPT,provision) apply

comment: $(INSTALLED) ## post the results of `plan` and `cost` on PULL_REQUEST
	@$(PY) -m scripts.github --env $(ENV) comment

summary: $(INSTALLED) ## add the results of `plan` and `cost` to the GitHub run
	@$(PY) -m scripts.github --env $(ENV) summary

up: $(INSTALLED) $(PREREQUISITES) lambdas ## create or update everything that Terraform declares
	$(call step)
	$(call SCRIPT,provision) up

stage: $(INSTALLED) $(PREREQUISITES) ## upload the images of SOURCE to S3 (FORMAT=recordio: as shards)
	$(call step)
	$(call SCRIPT,stage) --source=$(call quote,SOURCE) $(call option,--format,FORMAT) $(if $(call yes,PRETRAIN),--other-classes)

train: $(INSTALLED) $(PREREQUISITES) ## train a model, check it with the quality gate, register it
	$(call step)
	$(call SCRIPT,train) $(TRAINING)

retrain: $(INSTALLED) $(PREREQUISITES) ## train on the staged and the reviewed images
	$(call step)
	$(call SCRIPT,stage_reviewed)
	$(call SCRIPT,train) $(TRAINING)

tune: $(INSTALLED) $(PREREQUISITES) ## run a hyperparameter tuning job (JOBS, PARALLEL)
	$(call step)
	$(call SCRIPT,tune) $(TRAINING) $(call option,--jobs,JOBS) $(call option,--parallel,PARALLEL)

models: $(INSTALLED) $(PREREQUISITES) ## list the model versions, with status and gate result
	$(call SCRIPT,models)

approve: $(INSTALLED) $(PREREQUISITES) ## approve MODEL, or the newest version that is pending
	$(call step)
	$(call SCRIPT,approval) approve --model=$(call quote,MODEL) --reason=$(call quote,REASON)

reject: $(INSTALLED) $(PREREQUISITES) ## reject MODEL for a REASON
	$(call step)
	$(call SCRIPT,approval) reject --model=$(call quote,MODEL) --reason=$(call quote,REASON)

rollback: $(INSTALLED) $(PREREQUISITES) ## promote the version that was in use before
	$(call step)
	$(call SCRIPT,approval) rollback

lineage: $(INSTALLED) $(PREREQUISITES) ## trace EXECUTION or MODEL to job, data and code (VERIFY=1)
	$(call SCRIPT,lineage) --execution=$(call quote,EXECUTION) --model=$(call quote,MODEL) $(if $(call yes,VERIFY),--verify)

transform: $(INSTALLED) $(PREREQUISITES) ## classify every image below the key prefix INPUT
	$(call step)
	$(call SCRIPT,transform) --input=$(call quote,INPUT)

deploy: $(INSTALLED) $(PREREQUISITES) lambdas ## deploy the approved model to the endpoint
	$(call step)
	$(call SCRIPT,provision) deploy

extend: $(INSTALLED) $(PREREQUISITES) ## extend the endpoint's lifetime by HOURS
	$(call step)
	$(call SCRIPT,extend) --hours=$(call quote,HOURS)

classify: $(INSTALLED) $(PREREQUISITES) ## classify IMAGE, a local JPEG or PNG file
	$(call step)
	$(call SCRIPT,classify) --image=$(call quote,IMAGE)

execution: $(INSTALLED) $(PREREQUISITES) ## show the execution ID (default: the latest)
	$(call SCRIPT,execution) --id=$(call quote,ID)

export: $(INSTALLED) $(PREREQUISITES) ## write the state machine as ASL JSON, SVG and PNG
	$(call SCRIPT,export)

run: $(INSTALLED) $(PREREQUISITES) ## classify every test image with the state machine
	$(call step)
	$(call SCRIPT,run)

batch: $(INSTALLED) $(PREREQUISITES) ## classify many images: PREFIX, MANIFEST, KEYS or RESUME
	$(call step)
	$(call SCRIPT,batch) $(call option,--prefix,PREFIX) $(call option,--manifest,MANIFEST) $(call option,--keys,KEYS) \
	  $(call option,--resume,RESUME)

drivers: $(INSTALLED) $(PREREQUISITES) ## list the drivers with vehicle, confidence and zone
	$(call SCRIPT,drivers) list

driver: $(INSTALLED) $(PREREQUISITES) ## show the record and the photographs of the driver ID
	$(call SCRIPT,drivers) show --id=$(call quote,ID)

delete-driver: $(INSTALLED) $(PREREQUISITES) ## delete the data of the driver ID (needs CONFIRM=<id>)
	$(call step)
	$(call SCRIPT,drivers) delete --id=$(call quote,ID) --confirm=$(call quote,CONFIRM)

traffic: $(INSTALLED) $(PREREQUISITES) ## simulate uploads of drivers (RATE, SECONDS, BURST, SHIFT)
	$(call step)
	$(call SCRIPT,traffic) $(call option,--rate,RATE) $(call option,--seconds,SECONDS) $(call option,--burst,BURST) \
	  $(call option,--seed,SEED) $(call option,--shift,SHIFT) $(if $(call yes,LABELLED),--labelled)

evaluate: $(INSTALLED) $(PREREQUISITES) ## evaluate the run (PRECISION=0.98 finds the threshold)
	$(call step)
	$(call SCRIPT,evaluate) $(call option,--precision,PRECISION)

monitor: $(INSTALLED) $(PREREQUISITES) ## plot captured predictions (SINCE=24h, UNTIL, MODEL)
	$(call step)
	$(call SCRIPT,monitor) $(TIME_RANGE) $(call option,--model,MODEL)

select: $(INSTALLED) $(PREREQUISITES) ## select captured images for review (SINCE, UNTIL, AUDIT)
	$(call step)
	$(call SCRIPT,select_images) $(TIME_RANGE) $(call option,--audit,AUDIT)

review: $(INSTALLED) $(PREREQUISITES) ## show images to review on a local page (REVIEWER)
	$(call SCRIPT,review) $(call option,--reviewer,REVIEWER)

review-csv: $(INSTALLED) $(PREREQUISITES) ## write the images to review as CSV, or store LABELS=file
	$(call step)
	$(call SCRIPT,review_csv) $(call option,--labels,LABELS) $(call option,--reviewer,REVIEWER)

live: $(INSTALLED) $(PREREQUISITES) ## evaluate live traffic by its labels (SINCE, MODEL, PRECISION)
	$(call step)
	$(call SCRIPT,live) evaluate $(TIME_RANGE) $(call option,--model,MODEL) $(call option,--precision,PRECISION)

threshold: $(INSTALLED) $(PREREQUISITES) ## set the threshold to VALUE, or for PRECISION (SINCE)
	$(call step)
	$(call SCRIPT,live) threshold $(call option,--precision,PRECISION) $(call option,--value,VALUE) $(TIME_RANGE)

data-drift: $(INSTALLED) $(PREREQUISITES) ## show what drifted from the baseline (RUN=1 starts a job)
	$(call step)
	$(call SCRIPT,data_drift) $(TIME_RANGE) $(if $(call yes,RUN),--run)

report: $(INSTALLED) $(PREREQUISITES) ## write build/ENV/report.html: all results (SINCE, UNTIL)
	$(call step)
	$(call SCRIPT,report) $(TIME_RANGE)

watch: $(INSTALLED) $(PREREQUISITES) ## follow ENV in the terminal (INTERVAL=5, ONCE=1)
	$(call SCRIPT,watch) $(call option,--interval,INTERVAL) $(if $(call yes,ONCE),--once)

demo: up stage train deploy run evaluate monitor report ## run the whole workflow: up to report

drift: $(INSTALLED) $(PREREQUISITES) lambdas ## fail if the deployed stack differs from the code
	$(call step)
	$(call SCRIPT,provision) drift

drift-issue: $(INSTALLED) ## open a GitHub issue with the result of `drift`
	@$(PY) -m scripts.github --env $(ENV) issue

cost: $(INSTALLED) $(PREREQUISITES) lambdas ## estimate the costs of the planned environment
	$(call step)
	$(call SCRIPT,cost)

image-costs: $(INSTALLED) ## compare the costs of single and batch executions
	@$(PY) -m scripts.image_costs

down: $(INSTALLED) $(PREREQUISITES) lambdas ## destroy everything (prod needs CONFIRM=prod)
	$(call step)
	$(call SCRIPT,provision) down --confirm=$(call quote,CONFIRM)
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
	@$(if $(GITHUB_STEP_SUMMARY),$(PY) -m coverage report --format=markdown >> "$$GITHUB_STEP_SUMMARY")

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
	  $(call quote,PYTHON) -m venv $(CHECKOV) && $(CHECKOV)/bin/pip install --quiet checkov==3.3.30; }
	@$(CHECKOV)/bin/checkov -d terraform --framework terraform --skip-download --compact --quiet

fmt: $(INSTALLED) ## format Python and Terraform
	@$(PY) -m ruff check --fix --quiet $(CODE) emulator
	@$(PY) -m ruff format --quiet $(CODE) emulator
	@env -u TF_CLI_CONFIG_FILE PATH="$$PWD/.tools:$$PATH" terraform fmt -recursive terraform

throughput: $(INSTALLED) ## measure single and batch executions on ENV=local
	@$(AWS_ENV) $(PY) -m benchmarks.throughput

benchmark: $(INSTALLED) ## print the benchmarks for the archive SOURCE
	@$(PY) -m benchmarks -- $(call quote,SOURCE)

clean: ## delete build results, caches; ENV=local: stop the emulator
	@$(CLEANUP)
	@rm -rf build/$(ENV) build/lambdas .mypy_cache .ruff_cache .pytest_cache .coverage*
