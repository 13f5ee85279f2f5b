variable "endpoint_name" {
  description = "Endpoint to scale, once it is there; nothing is read of it while there is none."
  type        = string
}

variable "variant_name" {
  description = "Production variant to scale; null while there is none."
  type        = string
}

variable "instance_type" {
  description = "Instance type behind the endpoint."
  type        = string
}

variable "instance_count" {
  description = "Fewest instances behind the endpoint."
  type        = number

  validation {
    condition     = var.instance_count >= 1 && floor(var.instance_count) == var.instance_count
    error_message = "An endpoint scales from a whole number of instances, one at least."
  }
}

variable "max_instance_count" {
  description = "Most instances behind the endpoint; null for no scaling."
  type        = number

  validation {
    condition     = var.max_instance_count == null || try(var.max_instance_count > var.instance_count && floor(var.max_instance_count) == var.max_instance_count, false)
    error_message = "An endpoint scales to a whole number of instances, more than instance_count."
  }
}

variable "concurrent_requests" {
  description = "Requests at once that an instance is to have; more bring another instance."
  type        = number

  validation {
    condition     = var.concurrent_requests > 0
    error_message = "An instance is to have more than no request at once."
  }
}
