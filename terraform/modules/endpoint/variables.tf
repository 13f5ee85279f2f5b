variable "name" {
  description = "Endpoint name; prefix of the endpoint configuration's name."
  type        = string

  validation {
    # the endpoint configuration's name adds the version and a unique suffix to this name, and may have 63 characters
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 30 lower-case letters, digits and dashes, without a dash at the start or the end (got ${var.name})."
  }
}

variable "model_name" {
  description = "Name of the SageMaker model to deploy; ignored while model_version is null."
  type        = string
}

variable "model_version" {
  description = "Version of the SageMaker model to deploy; null before the first approved model, when there is no endpoint."
  type        = string
}

variable "data_capture_uri" {
  description = "S3 URI below which SageMaker writes captured data."
  type        = string

  validation {
    condition     = can(regex("^s3://[a-z0-9.-]+/.+$", var.data_capture_uri))
    error_message = "data_capture_uri must be s3://<bucket>/<prefix> (got ${var.data_capture_uri})."
  }
}

variable "instance_type" {
  description = "Instance type of the endpoint."
  type        = string

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type))
    error_message = "instance_type must be a SageMaker instance type such as ml.m5.xlarge (got ${var.instance_type})."
  }
}

variable "instance_count" {
  description = "Number of instances; the minimum if the endpoint scales."
  type        = number

  validation {
    condition     = var.instance_count >= 1 && floor(var.instance_count) == var.instance_count
    error_message = "instance_count must be a whole number of at least 1 (got ${var.instance_count})."
  }
}

variable "max_instance_count" {
  description = "Maximum number of instances of an endpoint that scales; null for a fixed number."
  type        = number
  default     = null
}

variable "live_instance_count" {
  description = "Current number of instances of an endpoint that scales, which a deployment keeps; null deploys instance_count instances."
  type        = number
  default     = null
}

variable "serverless" {
  description = "Memory in MB and maximum number of concurrent requests of a serverless endpoint; null for an endpoint on instances."
  type = object({
    memory_size_in_mb = number
    max_concurrency   = number
  })
}

variable "deployment" {
  description = "How a deployment shifts traffic to a new model: the canary's share of the new instances in percent, the seconds for which alarms watch each step, the seconds before the old instances are terminated, the seconds after which the deployment times out, and the alarms' period in seconds."
  type = object({
    canary_percent           = number
    wait_seconds             = number
    termination_wait_seconds = number
    timeout_seconds          = number
    alarm_period_seconds     = number
  })
}

variable "latency_limit_ms" {
  description = "Maximum 99th percentile of the model's latency in milliseconds. If two of three periods of the latency alarm exceed it, the alarm goes into ALARM, and a running deployment is rolled back. A serverless endpoint has no alarms."
  type        = number
}

variable "capture_percentage" {
  description = "Percentage of requests that data capture records; 0 disables data capture."
  type        = number

  validation {
    condition     = contains(range(101), var.capture_percentage)
    error_message = "capture_percentage must be a whole number from 0 to 100 (got ${var.capture_percentage})."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic to which the alarms publish."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the containers' logs."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts captured data, logs and, except on instances with local NVMe storage, the instances' volumes."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:<region>:<account>:key/<id>, and not an alias or a key ID (got ${var.kms_key_arn})."
  }
}

variable "expiry_schedule" {
  description = "Name of the schedule that deletes the endpoint; null if the endpoint's lifetime is not limited. Terraform creates the schedule before the endpoint."
  type        = string
}
