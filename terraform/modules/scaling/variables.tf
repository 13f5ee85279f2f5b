variable "endpoint_name" {
  description = "Endpoint name; ignored while variant_name is null."
  type        = string
}

variable "variant_name" {
  description = "Name of the production variant to scale; null while there is no endpoint."
  type        = string
}

variable "instance_type" {
  description = "Instance type of the endpoint."
  type        = string
}

variable "instance_count" {
  description = "Minimum number of instances."
  type        = number

  validation {
    condition     = var.instance_count >= 1 && floor(var.instance_count) == var.instance_count
    error_message = "instance_count must be a whole number of at least 1 (got ${var.instance_count})."
  }
}

variable "max_instance_count" {
  description = "Maximum number of instances; null disables scaling."
  type        = number

  validation {
    condition     = var.max_instance_count == null || try(var.max_instance_count > var.instance_count && floor(var.max_instance_count) == var.max_instance_count, false)
    error_message = "max_instance_count must be a whole number above instance_count (got ${jsonencode(var.max_instance_count)})."
  }
}

variable "concurrent_requests" {
  description = "Target number of concurrent requests per instance. If there are more, scaling adds instances."
  type        = number

  validation {
    condition     = var.concurrent_requests > 0
    error_message = "concurrent_requests must be above 0 (got ${var.concurrent_requests})."
  }
}
