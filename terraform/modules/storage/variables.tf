variable "bucket_name" {
  description = "Name of the bucket."
  type        = string
}

variable "access_logs_bucket_name" {
  description = "Name of the bucket that is told of each request to the other."
  type        = string

  validation {
    condition     = var.access_logs_bucket_name != var.bucket_name
    error_message = "A bucket that is told of its own requests is told of each of these in turn: name another."
  }
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

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "A table's name has 3 to 255 letters, digits and signs of _.-."
  }
}

variable "data_capture_key" {
  description = "First part of the keys of captured data."
  type        = string

  validation {
    condition     = can(regex("^[^/].*[^/]$", var.data_capture_key))
    error_message = "The part of a key neither begins nor ends with a slash: captured data would not be found to be deleted."
  }
}

variable "capture_retention_days" {
  description = "Days after which captured data, access logs, and old versions of anything, are deleted; null keeps them."
  type        = number

  validation {
    condition     = var.capture_retention_days == null || try(var.capture_retention_days >= 1 && floor(var.capture_retention_days) == var.capture_retention_days, false)
    error_message = "S3 keeps for a whole number of days, one at least, or for ever (null)."
  }
}

variable "protected" {
  description = "Whether a bucket that is not empty, and the table, are kept from destruction."
  type        = bool
}
