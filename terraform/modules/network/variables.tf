variable "prefix" {
  description = "Prefix of resource names, such as scones-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "prefix must be 2 to 23 lower-case letters, digits and dashes, starting with a letter, such as scones-dev (got ${var.prefix})."
  }
}

variable "cidr_block" {
  description = "IPv4 CIDR block of the VPC, divided between two subnets."
  type        = string

  validation {
    # limits: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html; the smallest subnet is /28
    condition     = can(cidrnetmask(var.cidr_block)) && try(tonumber(split("/", var.cidr_block)[1]) >= 16 && tonumber(split("/", var.cidr_block)[1]) <= 27, false)
    error_message = "cidr_block must be an IPv4 CIDR block of /16 to /27, such as 10.0.0.0/24 (got ${var.cidr_block})."
  }
}

variable "bucket_arn" {
  description = "ARN of the only S3 bucket that is reachable from the VPC."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "bucket_arn must be an S3 bucket ARN, arn:aws:s3:::<name> (got ${var.bucket_arn})."
  }
}

variable "endpoint_arn" {
  description = "ARN of the only SageMaker endpoint that can be invoked from the VPC. The endpoint need not exist yet."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the flow log."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps the flow log."
  type        = number
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the role; null for none."
  type        = string
}

variable "reports_drift" {
  description = "Whether drift jobs publish metrics to CloudWatch and messages to SNS. The VPC then has an endpoint for each of these services."
  type        = bool
  default     = false
}
