variable "prefix" {
  description = "First part of every name, scones-<environment>."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}$", var.prefix))
    error_message = "A prefix is 2 to 23 lower-case letters, digits and dashes, such as scones-dev: every name begins with it."
  }
}

variable "archives" {
  description = "Folder with one zip a function."
  type        = string
}

variable "bucket_arn" {
  description = "Bucket of the images."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "A bucket is named by its ARN here: arn:aws:s3:::<name>."
  }
}

variable "image_keys" {
  description = "First parts of the keys of images; serialize may read nothing else."
  type        = list(string)
}

variable "endpoint_arn" {
  description = "Endpoint to ask; it may not be there yet."
  type        = string
}

variable "endpoint_name" {
  description = "Name of the endpoint to ask."
  type        = string
}

variable "classes" {
  description = "Class names in the order of the endpoint's probabilities."
  type        = list(string)
}

variable "threshold" {
  description = "Probability that the best class must reach."
  type        = number
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Key that encrypts the images and the logs."
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

variable "network" {
  description = "Subnets and security groups of a VPC to run in, and what a role must be allowed for it, as a policy; null for none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    policy             = string
  })
  default = null
}
