variable "name" {
  description = "Name of the endpoint."
  type        = string

  validation {
    # with its version and what makes it unique a name has at most 63 characters
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,29}$", var.name))
    error_message = "An endpoint's name has 1 to 30 lower-case letters, digits and dashes: longer names begin with it."
  }
}

variable "model_name" {
  description = "Model behind the endpoint; nothing is read of it while there is none."
  type        = string
}

variable "model_version" {
  description = "Version of that model; null for no endpoint yet."
  type        = string
}

variable "data_capture_uri" {
  description = "Where captured data lands."
  type        = string

  validation {
    condition     = can(regex("^s3://[a-z0-9.-]+/.+$", var.data_capture_uri))
    error_message = "Captured data lands in a bucket, below a key: s3://<bucket>/<key>."
  }
}

variable "instance_type" {
  description = "Instance type behind the endpoint."
  type        = string

  validation {
    condition     = can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type))
    error_message = "An instance type has SageMaker's three parts, as in ml.m5.xlarge."
  }
}

variable "instance_count" {
  description = "Instances behind the endpoint; the fewest, where it scales."
  type        = number

  validation {
    condition     = var.instance_count >= 1 && floor(var.instance_count) == var.instance_count
    error_message = "An endpoint has a whole number of instances, one at least."
  }
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

  validation {
    condition     = contains(range(101), var.sampling_percentage)
    error_message = "The share of captured requests is a whole number from 0 to 100 percent."
  }
}

variable "topic_arn" {
  description = "Topic that is told of the alarms, during a deployment and at any other time."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which the containers' logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts captured data, logs and the instances' volumes."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "A key is named by its ARN, arn:aws:kms:<region>:<account>:key/<id>, not by an alias or an id alone."
  }
}
