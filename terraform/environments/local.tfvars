environment = "local"
approval    = "automatic"
protected   = false

log_retention_days = 1
# the provider waits 55 s after it creates a lifecycle rule, and emulated data is short-lived anyway
capture_retention_days = null

# the emulator has a single endpoint URL, and never gains a missing API while Terraform runs
provider_path_style  = true
provider_max_retries = 5

endpoint_instance_count = 2 # a canary deployment needs at least two instances
deployment              = { canary_percent = 50, wait_seconds = 4, termination_wait_seconds = 0, alarm_period_seconds = 10 }
latency_limit_ms        = 10000 # a busy laptop is slow, which says nothing about the model

endpoint_hours = 8
