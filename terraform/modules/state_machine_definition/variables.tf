variable "name" {
  description = "Name of the state machine, which begins the subject of notifications."
  type        = string

  validation {
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html; the subject of an SNS e-mail must be ASCII
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.name))
    error_message = "name must be 1 to 80 letters, digits, dashes and underscores (got ${var.name})."
  }
}

variable "function_arns" {
  description = "Function ARNs, by purpose; at least serialize, classify and filter."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["serialize", "classify", "filter"], keys(var.function_arns))) == 0
    error_message = "function_arns must have the keys serialize, classify and filter (got ${join(", ", keys(var.function_arns))})."
  }
}

variable "environment" {
  description = "Environment name, which the `make` command in notifications contains."
  type        = string
}

variable "bucket_name" {
  description = "Name of the S3 bucket that contains the images."
  type        = string
}

variable "incoming_prefix" {
  description = "Key prefix of the photographs that drivers upload, without slashes."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9_-]+$", var.incoming_prefix))
    error_message = "incoming_prefix must be one or more lower-case letters, digits, dashes and underscores, because it is part of a regular expression (got ${jsonencode(var.incoming_prefix)})."
  }
}

variable "review_prefix" {
  description = "Key prefix of images that a person must look at, without slashes."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9_-]+$", var.review_prefix))
    error_message = "review_prefix must be one or more lower-case letters, digits, dashes and underscores (got ${jsonencode(var.review_prefix)})."
  }
}

variable "vehicles_table" {
  description = "Name of the DynamoDB table of classified vehicles, with one item per object version."
  type        = string
}

variable "drivers_table" {
  description = "Name of the DynamoDB table of drivers."
  type        = string
}

variable "classes" {
  description = "Class names."
  type        = list(string)
}

variable "zones" {
  description = "Zone (near or far) in which the vehicle of each class delivers, and the zone's radius in km. Classes without an entry are unassigned."
  type        = map(object({ zone = string, radius_km = number }))
}

variable "retention_days" {
  description = "Days after which DynamoDB deletes an item; null keeps the items."
  type        = number
}

variable "topic_arn" {
  description = "ARN of the SNS topic for failed executions."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the failure metrics."
  type        = string
}
