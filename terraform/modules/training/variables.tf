variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string
}

variable "bucket_arn" {
  description = "Bucket of images and models."
  type        = string
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
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the roles may do at most; null for none."
  type        = string
}
