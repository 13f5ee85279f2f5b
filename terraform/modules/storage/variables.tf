variable "bucket_name" {
  description = "Name of the S3 bucket that contains images, models and captured data."
  type        = string
}

variable "access_logs_bucket_name" {
  description = "Name of the S3 bucket that contains the access logs."
  type        = string

  validation {
    condition     = var.access_logs_bucket_name != var.bucket_name
    error_message = "access_logs_bucket_name must differ from bucket_name, because otherwise each log delivery would cause another log entry (got ${var.access_logs_bucket_name})."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket and the DynamoDB tables."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be a key ARN, arn:aws:kms:<region>:<account>:key/<id>, and not an alias or a key ID (got ${var.kms_key_arn})."
  }
}

variable "table_name" {
  description = "Name of the DynamoDB table of classified vehicles."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "table_name must have 3 to 255 characters, each a letter, a digit, _, . or - (got ${var.table_name})."
  }
}

variable "drivers_table_name" {
  description = "Name of the DynamoDB table of drivers."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.drivers_table_name))
    error_message = "drivers_table_name must have 3 to 255 characters, each a letter, a digit, _, . or - (got ${var.drivers_table_name})."
  }
}

variable "photo_prefixes" {
  description = "Key prefixes of personal data, such as drivers' photographs and batch results, without leading and trailing slashes."
  type        = list(string)

  validation {
    condition     = alltrue([for prefix in var.photo_prefixes : can(regex("^[^/](.*[^/])?$", prefix))])
    error_message = "photo_prefixes must not contain an empty prefix or one with a leading or trailing slash, because its lifecycle rule would match no object (got ${jsonencode(var.photo_prefixes)})."
  }
}

variable "photo_retention_days" {
  description = "Days after which objects below photo_prefixes and items in DynamoDB are deleted; null keeps them."
  type        = number

  validation {
    condition     = var.photo_retention_days == null || try(var.photo_retention_days >= 1 && floor(var.photo_retention_days) == var.photo_retention_days, false)
    error_message = "photo_retention_days must be a whole number of at least 1, or null (got ${jsonencode(var.photo_retention_days)})."
  }
}

variable "data_capture_prefix" {
  description = "Key prefix of captured data, without leading and trailing slashes."
  type        = string

  validation {
    condition     = can(regex("^[^/](.*[^/])?$", var.data_capture_prefix))
    error_message = "data_capture_prefix must not be empty or have a leading or trailing slash, because its lifecycle rule would match no object (got ${jsonencode(var.data_capture_prefix)})."
  }
}

variable "capture_retention_days" {
  description = "Days after which captured data, access logs and old versions of other objects are deleted; null keeps them. If photo_retention_days is set, old versions below photo_prefixes are deleted after one day."
  type        = number

  validation {
    condition     = var.capture_retention_days == null || try(var.capture_retention_days >= 1 && floor(var.capture_retention_days) == var.capture_retention_days, false)
    error_message = "capture_retention_days must be a whole number of at least 1, or null (got ${jsonencode(var.capture_retention_days)})."
  }
}

variable "protected" {
  description = "Whether `terraform destroy` fails instead of deleting the DynamoDB tables, or the bucket `bucket_name` if it is not empty. The tables then also have point-in-time recovery."
  type        = bool
}
