output "subnet_ids" {
  description = "IDs of the subnets for functions, jobs and models, one per availability zone."
  value       = aws_subnet.this[*].id
}

output "security_group_ids" {
  description = "IDs of the security groups for functions, jobs and models."
  value       = [aws_security_group.workloads.id]
}
