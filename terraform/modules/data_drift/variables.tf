variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "environment" {
  description = "Environment name, which notifications contain."
  type        = string
}

variable "schedule" {
  description = "Schedule expression of EventBridge Scheduler, in UTC; null disables the drift job."
  type        = string

  validation {
    condition     = var.schedule == null || can(regex("^(rate\\([1-9][0-9]* (minute|hour|day)s?\\)|cron\\([^)]+\\))$", var.schedule))
    error_message = "schedule must be a schedule expression, such as rate(1 day) or cron(0 6 * * ? *), or null (got ${jsonencode(var.schedule)})."
  }
}

variable "window_hours" {
  description = "Length in hours of the period whose captured images a drift job compares with the baseline."
  type        = number

  validation {
    condition     = var.window_hours >= 1 && var.window_hours <= 720 && floor(var.window_hours) == var.window_hours
    error_message = "window_hours must be a whole number from 1 to 720 (got ${var.window_hours})."
  }
}

variable "model" {
  description = "Version of the model in use, such as v3, and S3 URL of its archive; null if there is no model or the model has no baseline."
  type        = object({ version = string, data_url = string })

  validation {
    condition     = var.model == null || can(regex("^s3://[^/]+/.+/model\\.tar\\.gz$", var.model.data_url))
    error_message = "model must have a data_url such as s3://<bucket>/<key>/model.tar.gz (got ${jsonencode(var.model)})."
  }
}

variable "image" {
  description = "URI of the inference container image."
  type        = string
}

variable "bucket_name" {
  description = "Name of the S3 bucket that contains models and captured data."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the S3 bucket that contains models and captured data."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be an S3 bucket ARN, arn:aws:s3:::<name> (got ${var.bucket_arn})."
  }
}

variable "models_prefix" {
  description = "Key prefix of models."
  type        = string
}

variable "captures_prefix" {
  description = "Key prefix of the captured data of the model in use."
  type        = string
}

variable "history_prefix" {
  description = "Key prefix below which the job writes its result."
  type        = string
}

variable "review_prefix" {
  description = "Key prefix of images that a person must look at."
  type        = string
}

variable "namespace" {
  description = "CloudWatch namespace of the metrics."
  type        = string
}

variable "topic_arn" {
  description = "ARN of the SNS topic to which the job and the alarms publish."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.topic_arn))
    error_message = "topic_arn must be an SNS topic ARN, arn:aws:sns:<region>:<account>:<name> (got ${var.topic_arn})."
  }
}

variable "undelivered_queue_arn" {
  description = "ARN of the SQS queue for jobs that could not be started and failures that could not be reported."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket and the job's volume."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:<region>:<account>:key/<id>, and not an alias or a key ID (got ${var.kms_key_arn})."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the roles; null for none."
  type        = string
}

variable "tags" {
  description = "Tags of the jobs."
  type        = map(string)
}

variable "network" {
  description = "Subnets and security groups of the job's VPC, and the JSON policy that its role needs there; null for no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    policy             = string
  })
  default = null
}

variable "bundle_packages" {
  description = "Whether the model's archive contains its Python packages, so that pip does not contact a package index."
  type        = bool
  default     = false
}
