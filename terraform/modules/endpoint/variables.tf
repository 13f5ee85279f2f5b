variable "name" {
  description = "Name of the endpoint."
  type        = string
}

variable "model_package_arn" {
  description = "Approved version of the model package group; null for no endpoint yet."
  type        = string
}

variable "bucket_arn" {
  description = "Bucket of models and captured data."
  type        = string
}

variable "models_key" {
  description = "First part of the keys of models."
  type        = string
}

variable "data_capture_key" {
  description = "First part of the keys of captured data."
  type        = string
}

variable "data_capture_uri" {
  description = "Where captured data lands."
  type        = string
}

variable "instance_type" {
  description = "Instance type behind the endpoint."
  type        = string
}

variable "instance_count" {
  description = "Instances behind the endpoint; the fewest, where it scales."
  type        = number
}

variable "max_instance_count" {
  description = "Most instances behind the endpoint, which then scales with its load; null for no scaling."
  type        = number
}

variable "concurrent_requests" {
  description = "Requests at once that an instance is to have; more bring another instance."
  type        = number
}

variable "serverless" {
  description = "Memory in MB and most requests at once of a serverless endpoint; null for one on instances."
  type = object({
    memory_size_in_mb = number
    max_concurrency   = number
  })
}

variable "deployment" {
  description = "How a new model takes over: the share of the traffic it gets first, how long alarms watch each step, how long the old instances stay on, after what time it is given up, and over what period the alarms count."
  type = object({
    canary_percent           = number
    wait_seconds             = number
    termination_wait_seconds = number
    timeout_seconds          = number
    alarm_period_seconds     = number
  })
}

variable "latency_limit_ms" {
  description = "Milliseconds within which a model answers 99 of 100 requests; a new one that does not is rolled back."
  type        = number
}


variable "sampling_percentage" {
  description = "Share of requests whose data is captured, in percent."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket, and the endpoint's volumes."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the roles may do at most; null for none."
  type        = string
}

variable "network" {
  description = "Subnets and security groups of a VPC for the model, whose container is then cut off from any network, and what its role must be allowed, as a policy; null for none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    policy             = string
  })
  default = null
}
