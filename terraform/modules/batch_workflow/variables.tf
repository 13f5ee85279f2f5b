variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
}

variable "function_arns" {
  description = "Function ARNs, by purpose; at least classify_batch and summarize."
  type        = map(string)
}

variable "bucket_name" {
  description = "Name of the S3 bucket that contains the images and the results."
  type        = string
}

variable "image_prefixes" {
  description = "Key prefixes of images, without a trailing slash. A batch execution may list only objects below them."
  type        = list(string)
}

variable "batch_prefix" {
  description = "Key prefix of results, and of manifests below `manifests/`, without a trailing slash."
  type        = string
}

variable "settings" {
  description = "Images per batch, batches that run at the same time, and the percentage of images in failed batches above which the execution fails."
  type = object({
    batch_size                   = optional(number)
    max_concurrency              = optional(number)
    tolerated_failure_percentage = optional(number)
  })
  default  = {}
  nullable = false
}

variable "topic_arn" {
  description = "ARN of the SNS topic for failed executions."
  type        = string
}

variable "undelivered_queue_arn" {
  description = "ARN of the SQS queue for events that EventBridge cannot deliver."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket and the logs."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:<region>:<account>:key/<id>, and not an alias or a key ID (got ${var.kms_key_arn})."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null for none."
  type        = string
}
