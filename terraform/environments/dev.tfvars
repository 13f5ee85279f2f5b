environment = "dev"
approval    = "automatic"
protected   = false

log_retention_days     = 14
capture_retention_days = 14

endpoint_hours = 8

drift_schedule     = "cron(0 6 * * ? *)" # each day
drift_window_hours = 24
