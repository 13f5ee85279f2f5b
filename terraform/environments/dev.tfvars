environment = "dev"
approval    = "automatic"
protected   = false

log_retention_days     = 14
capture_retention_days = 14

endpoint_hours = 8
