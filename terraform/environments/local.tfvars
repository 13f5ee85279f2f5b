environment = "local"
approval    = "automatic"
protected   = false

log_retention_days = 1
# the provider waits 55 s for a lifecycle rule, which outlives nothing here
capture_retention_days = null

# one address; an API that it lacks is refused for good, so that few retries do
provider_path_style  = true
provider_max_retries = 5

# nobody waits five minutes for a canary here
endpoint_instance_count = 2 # one instance has no part that could go first
deployment              = { canary_percent = 50, wait_seconds = 4, termination_wait_seconds = 0, alarm_period_seconds = 10 }
latency_limit_ms        = 10000 # a busy laptop is slow, and no worse a model

endpoint_hours = 8
