environment = "local"
approval    = "automatic"
protected   = false

log_retention_days = 1
# null avoids lifecycle rules: the provider waits 55 s after it creates one, and the emulator's data is lost when it stops
capture_retention_days = null
photo_retention_days   = null

# The emulator has one URL for all buckets, so S3 paths contain the bucket's name. There are few retries, because they do
# not help if the emulator does not support a request.
provider_path_style  = true
provider_max_retries = 5

endpoint_instance_count = 2 # a canary deployment needs at least two instances
deployment              = { canary_percent = 50, wait_seconds = 4, termination_wait_seconds = 0, alarm_period_seconds = 10 }
latency_limit_ms        = 10000 # high, because a busy laptop must not roll a deployment back

endpoint_hours = 8

drift_schedule     = "cron(0 6 * * ? *)" # each day; `make data-drift RUN=1` starts a job at any time
drift_window_hours = 24

failure_email = "operator@example.com" # the emulator sends no e-mail
