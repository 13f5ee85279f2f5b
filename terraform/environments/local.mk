# AWS on this machine. Its contents live and die with one process; so does the state that describes them.
EMULATOR := build/local/emulator
PREREQUISITES := emulator
AWS_ENV  := env TF_WORKSPACE=local $(PY) -m sagelocal.core.background exec --directory $(EMULATOR) --
CLEANUP   = test ! -x $(PY) || $(PY) -m sagelocal.core.background stop --directory $(EMULATOR)

.PHONY: emulator costs
emulator: $(INSTALLED) ## start AWS on this machine, where it is not running yet
	@$(PY) -m sagelocal.core.background start --directory $(EMULATOR) \
	  --images terraform/environments/local.images.json \
	  --forget terraform/terraform.tfstate.d/local build/local/training.json build/local/run.json \
	           build/local/evaluation.json build/local/monitoring.json

costs: $(INSTALLED) emulator lambdas ## what dev and prod would cost, planned here without an account
	@$(foreach name,dev prod,TF_WORKSPACE=cost-$(name) $(PY) -m sagelocal.core.background exec --directory $(EMULATOR) -- \
	  $(PY) -m scripts.cost --env $(name) && ):
