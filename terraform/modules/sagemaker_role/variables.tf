variable "name" {
  description = "Role name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits and characters of +=,.@_- (got ${var.name})."
  }
}

variable "bucket_arn" {
  description = "ARN of the S3 bucket that contains images, models and captured data."
  type        = string
}

variable "readable_keys" {
  description = "Keys of the objects that the role may read. A key may contain `*`."
  type        = list(string)

  validation {
    condition     = length(var.readable_keys) > 0
    error_message = "readable_keys must not be empty: a container needs its input."
  }
}

variable "writable_prefixes" {
  description = "Key prefixes under which the role may write objects."
  type        = list(string)

  validation {
    condition     = length(var.writable_prefixes) > 0 && !contains(var.writable_prefixes, "")
    error_message = "writable_prefixes must contain at least one prefix, and no empty prefix, which would allow writing to the whole bucket."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket."
  type        = string
}

variable "encrypts_volumes" {
  description = "Whether the KMS key also encrypts instance volumes. The role may then create grants for the key."
  type        = bool
  default     = false
}

variable "log_groups" {
  description = "Name prefixes of the log groups under /aws/sagemaker/ that the role may write to."
  type        = list(string)
}

variable "watched_alarms" {
  description = "Names of the alarms that a deployment monitors. A name may contain `*`."
  type        = list(string)
  default     = []
}

variable "metrics_namespaces" {
  description = "CloudWatch namespaces to which the role may publish metrics, in addition to SageMaker's namespaces."
  type        = list(string)
  default     = []
}

variable "topic_arns" {
  description = "ARNs of the SNS topics to which the role may publish."
  type        = list(string)
  default     = []
}

variable "repositories" {
  description = "Names of the ECR repositories of AWS's container images that the role may pull."
  type        = list(string)
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null for none."
  type        = string
}

variable "network_policy" {
  description = "JSON policy that the role needs for a container in a VPC; null for no VPC."
  type        = string
  default     = null
}
