# The local environment runs on the emulator. Its resources exist only in the emulator's process, so a new process
# invalidates the Terraform state and the results of earlier commands.
EMULATOR := build/local/emulator
PREREQUISITES := emulator
AWS_ENV  := env TF_WORKSPACE=local $(PY) -m sagelocal exec --directory $(EMULATOR) --
# Paths of a Terraform state: the local state, and the backend settings that `make state` or `make bootstrap` writes if
# the state is in the emulator's S3
STATE    := terraform.tfstate.d/local local.s3.tfbackend backend.tf .terraform/local
CLEANUP   = test ! -x $(PY) || $(PY) -m sagelocal stop --directory $(EMULATOR)

.PHONY: emulator costs
emulator: $(INSTALLED) ## start the local emulator unless it is running
	@$(PY) -m sagelocal start --directory $(EMULATOR) --images terraform/environments/local.images.json \
	  --invalidate $(foreach root,terraform terraform/bootstrap,$(STATE:%=$(root)/%)) build/local/training.json \
	               build/local/run.json build/local/evaluation.json build/local/monitoring.json \
	               build/local/live.json build/local/drift.json

costs: $(INSTALLED) emulator lambdas ## estimate what dev and prod would cost, without an account
	@$(foreach name,dev prod,TF_WORKSPACE=cost-$(name) $(PY) -m sagelocal exec --directory $(EMULATOR) -- \
	  $(PY) -m scripts.cost --env $(name) && ):
