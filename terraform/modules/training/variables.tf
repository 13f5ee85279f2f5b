variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "instance_type" {
  description = "Instance type of PyTorch training jobs, which determines whether they use the CPU image or the GPU image."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the S3 bucket that contains the images and the models."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be an S3 bucket ARN, arn:aws:s3:::<name> (got ${var.bucket_arn})."
  }
}

variable "models_prefix" {
  description = "Key prefix of the models that training jobs write."
  type        = string
}

variable "transform_prefix" {
  description = "Key prefix of the results of batch transform jobs."
  type        = string
}

variable "checkpoints_prefix" {
  description = "Key prefix of the checkpoints of training jobs."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket."
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

variable "network_policy" {
  description = "JSON policy that the roles need for a job in a VPC; null for no VPC."
  type        = string
  default     = null
}
