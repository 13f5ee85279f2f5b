output "subnet_ids" {
  description = "Subnets of functions, jobs and models, one a zone."
  value       = aws_subnet.this[*].id
}

output "security_group_ids" {
  description = "Security groups of functions, jobs and models."
  value       = [aws_security_group.workloads.id]
}
