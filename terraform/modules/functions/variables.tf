variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "archive_directory" {
  description = "Directory that contains one zip file per function."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the S3 bucket that contains the images and the results of batch executions."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be an S3 bucket ARN, arn:aws:s3:::<name> (got ${var.bucket_arn})."
  }
}

variable "image_prefixes" {
  description = "Key prefixes of images. The functions may read only images below them."
  type        = list(string)
}

variable "batch_prefix" {
  description = "Key prefix of the results of batch executions, without a trailing slash."
  type        = string
}

variable "endpoint_arn" {
  description = "ARN of the endpoint that classify and classify_batch invoke. The endpoint need not exist yet."
  type        = string
}

variable "endpoint_name" {
  description = "Name of the endpoint that classify and classify_batch invoke."
  type        = string
}

variable "classes" {
  description = "Class names in the order of the class index."
  type        = list(string)
}

variable "threshold" {
  description = "Minimum confidence (the highest class probability). Filter fails if the confidence is lower, and classify_batch counts the image as low-confidence."
  type        = number
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts images and logs."
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

variable "network" {
  description = "Subnets and security groups of the functions' VPC, and the JSON policy that the functions' roles need in the VPC; null for no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    policy             = string
  })
  default = null
}
