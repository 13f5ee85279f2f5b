variable "name" {
  description = "Name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits and dashes, and neither begins nor ends with a dash."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts what lies in the bucket; null for one that S3 manages."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether the bucket may be destroyed with what lies in it."
  type        = bool
  default     = false
}

variable "policy_documents" {
  description = "Policies, as JSON, that hold beside the refusal of plain HTTP."
  type        = list(string)
  default     = []
}
