environment = "prod"
approval    = "manual"
protected   = true

bundle_packages        = true # an endpoint that scales out or recovers must not depend on a package index
minimum_accuracy       = 0.9
log_retention_days     = 365
capture_retention_days = 90

endpoint_instance_count     = 2
endpoint_max_instance_count = 4

budget_usd = 500
idle_hours = 24

drift_schedule     = "cron(0 6 * * ? *)" # each day
drift_window_hours = 24
