variable "name" {
  description = "Name of the endpoint."
  type        = string
}

variable "model_package_arn" {
  description = "Approved version of the model package group; null for no endpoint yet."
  type        = string
}

variable "bucket_arn" {
  description = "Bucket of models and captured data."
  type        = string
}

variable "models_key" {
  description = "First part of the keys of models."
  type        = string
}

variable "data_capture_key" {
  description = "First part of the keys of captured data."
  type        = string
}

variable "data_capture_uri" {
  description = "Where captured data lands."
  type        = string
}

variable "instance_type" {
  description = "Instance type behind the endpoint."
  type        = string
}

variable "instance_count" {
  description = "Instances behind the endpoint."
  type        = number
}

variable "sampling_percentage" {
  description = "Share of requests whose data is captured, in percent."
  type        = number
}

variable "partition" {
  description = "AWS partition, such as aws."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts the bucket, and the endpoint's volumes."
  type        = string
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds what the roles may do at most; null for none."
  type        = string
}
