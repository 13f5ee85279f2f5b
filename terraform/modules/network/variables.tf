variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "cidr_block" {
  description = "Addresses of the VPC, which two subnets share."
  type        = string

  validation {
    # bounds: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html; a subnet has /28 at least
    condition     = can(cidrnetmask(var.cidr_block)) && try(tonumber(split("/", var.cidr_block)[1]) >= 16 && tonumber(split("/", var.cidr_block)[1]) <= 27, false)
    error_message = "A VPC's addresses are an IPv4 range of /16 to /27, such as 10.0.0.0/24."
  }
}

variable "bucket_arn" {
  description = "The one bucket that can be reached from here."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "A bucket is named by its ARN here: arn:aws:s3:::<name>."
  }
}

variable "endpoint_arn" {
  description = "The one SageMaker endpoint that can be asked from here; it may not be there yet."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the log."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which the log of refused connections is kept."
  type        = number
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the role may do at most; null for none."
  type        = string
}
