variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "bucket_name" {
  description = "Name of the S3 bucket that contains the images."
  type        = string
}

variable "incoming_prefix" {
  description = "Key prefix of the photographs that drivers upload, without slashes."
  type        = string

  validation {
    condition     = can(regex("^[^/]+$", var.incoming_prefix))
    error_message = "incoming_prefix must not be empty and must have no slashes (got ${jsonencode(var.incoming_prefix)})."
  }
}

variable "state_machine_arn" {
  description = "ARN of the state machine that classifies the photographs."
  type        = string
}

variable "dead_letter_queue_arn" {
  description = "ARN of the SQS queue for events that EventBridge cannot deliver."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null for none."
  type        = string
}
