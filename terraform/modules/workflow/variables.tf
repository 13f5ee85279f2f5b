variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "function_arns" {
  description = "Function ARNs, by purpose; at least serialize, classify and filter."
  type        = map(string)
}

variable "environment" {
  description = "Environment name, which the `make` command in notifications contains."
  type        = string
}

variable "bucket_name" {
  description = "Name of the S3 bucket that contains the images."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the S3 bucket that contains the images."
  type        = string
}

variable "incoming_prefix" {
  description = "Key prefix of the photographs that drivers upload, without slashes."
  type        = string
}

variable "review_prefix" {
  description = "Key prefix of images that a person must look at, without slashes."
  type        = string
}

variable "vehicles_table" {
  description = "Name of the DynamoDB table of classified vehicles, with one item per object version."
  type        = string
}

variable "vehicles_table_arn" {
  description = "ARN of the DynamoDB table of classified vehicles."
  type        = string
}

variable "drivers_table" {
  description = "Name of the DynamoDB table of drivers."
  type        = string
}

variable "drivers_table_arn" {
  description = "ARN of the DynamoDB table of drivers."
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

variable "photo_retention_days" {
  description = "Days after which the DynamoDB items are deleted; null keeps them."
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

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the tables, the bucket, the topic and the logs."
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
