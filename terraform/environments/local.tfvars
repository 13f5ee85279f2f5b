environment = "local"
approval    = "automatic"
protected   = false

log_retention_days = 1
# the provider waits 55 s for a lifecycle rule, which outlives nothing here
capture_retention_days = null

# one address, which is not worth asking twice
provider_path_style  = true
provider_max_retries = 1
