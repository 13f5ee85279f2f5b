variable "subnet_ids" {
  description = "IDs of the subnets in which network interfaces may be created."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids must not be empty: a workload in a VPC needs a subnet for its network interface."
  }
}

variable "security_group_ids" {
  description = "IDs of the security groups that network interfaces may have."
  type        = list(string)

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids must not be empty: a network interface without a security group gets the VPC's default one."
  }
}
