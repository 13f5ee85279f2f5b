variable "name" {
  description = "Name of the role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "A role's name has 1 to 64 letters, digits and signs of +=,.@_-."
  }
}

variable "bucket_arn" {
  description = "Bucket of images, models and captured data."
  type        = string
}

variable "read_keys" {
  description = "Which of its keys may be read, with `*` for a part."
  type        = list(string)

  validation {
    condition     = length(var.read_keys) > 0
    error_message = "A container that may read nothing can do nothing."
  }
}

variable "write_keys" {
  description = "First parts of the keys that may be written."
  type        = list(string)

  validation {
    condition     = length(var.write_keys) > 0 && !contains(var.write_keys, "")
    error_message = "Name the parts that may be written: the whole bucket is not a container's."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket."
  type        = string
}

variable "lends_key" {
  description = "Whether the key encrypts volumes too, which are read long after the request that made them."
  type        = bool
  default     = false
}

variable "log_groups" {
  description = "Beginnings of the names of its log groups, below /aws/sagemaker/."
  type        = list(string)
}

variable "watched_alarms" {
  description = "Names of the alarms that a deployment watches, with `*` for a part."
  type        = list(string)
  default     = []
}

variable "repositories" {
  description = "Repositories of AWS's own containers."
  type        = list(string)
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the role may do at most; null for none."
  type        = string
}

variable "network_policy" {
  description = "What the role must be allowed for a container in a VPC, as a policy; null where there is none."
  type        = string
  default     = null
}
