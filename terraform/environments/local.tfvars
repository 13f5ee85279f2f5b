environment = "local"
approval    = "automatic"
protected   = false

log_retention_days = 1
# the provider waits 55 s for a lifecycle rule, which outlives nothing here
capture_retention_days = null

# one address; an API that it lacks is refused for good, so that few retries do
provider_path_style  = true
provider_max_retries = 5

endpoint_hours = 8
