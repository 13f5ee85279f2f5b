variable "name" {
  description = "Bucket name."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and dashes, not starting or ending with a dash (got ${var.name})."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the objects; null uses a key that S3 manages."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether the bucket can be destroyed with its objects."
  type        = bool
  default     = false
}

variable "policy_documents" {
  description = "JSON policy documents to add to the bucket policy. The module's own statement denies unencrypted HTTP."
  type        = list(string)
  default     = []
}
