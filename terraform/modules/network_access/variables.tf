variable "subnet_ids" {
  description = "Subnets in which interfaces may be made."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "Name a subnet at least: whoever may make interfaces nowhere runs nowhere."
  }
}

variable "security_group_ids" {
  description = "Security groups that interfaces may be put into."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "Name a security group at least: an interface without one would be put into the VPC's default group."
  }
}
