variable "name" {
  description = "Name of the endpoint that the model is for; the first part of the model's."
  type        = string

  validation {
    # with its version and what makes it unique a name has at most 63 characters
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,29}$", var.name))
    error_message = "An endpoint's name has 1 to 30 lower-case letters, digits and dashes: longer names begin with it."
  }
}

variable "model_package_arn" {
  description = "Approved version of the model package group; null for no model yet."
  type        = string

  validation {
    condition     = var.model_package_arn == null || can(regex("^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:model-package/[^/]+/[0-9]+$", var.model_package_arn))
    error_message = "An approved model is the ARN of a version: arn:aws:sagemaker:<region>:<account>:model-package/<group>/<version>."
  }
}

variable "bucket_arn" {
  description = "Bucket of models and captured data."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:s3:::[a-z0-9.-]+$", var.bucket_arn))
    error_message = "A bucket is named by its ARN here: arn:aws:s3:::<name>."
  }
}

variable "models_key" {
  description = "First part of the keys of models."
  type        = string
}

variable "data_capture_key" {
  description = "First part of the keys of captured data."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket, and the endpoint's volumes."
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
  description = "Subnets and security groups of a VPC for the model, whose container is then cut off from any network, and what its role must be allowed, as a policy; null for none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    policy             = string
  })
  default = null
}
