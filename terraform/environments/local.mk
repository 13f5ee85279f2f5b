# The local emulator. Its resources and the Terraform state that describes them exist only while its process runs.
EMULATOR := build/local/emulator
PREREQUISITES := emulator
AWS_ENV  := env TF_WORKSPACE=local $(PY) -m sagelocal.core.background exec --directory $(EMULATOR) --
CLEANUP   = test ! -x $(PY) || $(PY) -m sagelocal.core.background stop --directory $(EMULATOR)

.PHONY: emulator costs
emulator: $(INSTALLED) ## start the local emulator unless it is running
	@$(PY) -m sagelocal.core.background start --directory $(EMULATOR) \
	  --images terraform/environments/local.images.json \
	  --forget terraform/terraform.tfstate.d/local build/local/training.json build/local/run.json \
	           build/local/evaluation.json build/local/monitoring.json

costs: $(INSTALLED) emulator lambdas ## estimate the costs of dev and prod on the emulator, without an AWS account
	@$(foreach name,dev prod,TF_WORKSPACE=cost-$(name) $(PY) -m sagelocal.core.background exec --directory $(EMULATOR) -- \
	  $(PY) -m scripts.cost --env $(name) && ):
