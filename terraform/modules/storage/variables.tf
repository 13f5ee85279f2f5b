variable "bucket_name" {
  description = "Name of the bucket."
  type        = string
}

variable "access_logs_bucket_name" {
  description = "Name of the bucket that is told of each request to the other."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket and the table."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "A key is named by its ARN, arn:aws:kms:<region>:<account>:key/<id>, not by an alias or an id alone."
  }
}

variable "table_name" {
  description = "Name of the table of vehicles."
  type        = string
}

variable "data_capture_key" {
  description = "First part of the keys of captured data."
  type        = string
}

variable "capture_retention_days" {
  description = "Days after which captured data, access logs, and old versions of anything, are deleted; null keeps them."
  type        = number
}

variable "protected" {
  description = "Whether a bucket that is not empty, and the table, are kept from destruction."
  type        = bool
}
