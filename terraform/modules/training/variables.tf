variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "instance_type" {
  description = "Instance type of our own trainer's jobs."
  type        = string
}

variable "bucket_arn" {
  description = "Bucket of images and models."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "A bucket is named by its ARN here: arn:aws:s3:::<name>."
  }
}

variable "models_key" {
  description = "First part of the keys that training jobs write."
  type        = string
}

variable "transform_key" {
  description = "First part of the keys that batch transform jobs write."
  type        = string
}

variable "checkpoints_key" {
  description = "First part of the keys under which training jobs keep how far they are."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "A key is named by its ARN, arn:aws:kms:<region>:<account>:key/<id>, not by an alias or an id alone."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the roles may do at most; null for none."
  type        = string
}

variable "network_policy" {
  description = "What the role must be allowed for a job in a VPC, as a policy; null where there is none."
  type        = string
  default     = null
}
