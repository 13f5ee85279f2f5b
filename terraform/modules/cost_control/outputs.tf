output "schedule_name" {
  description = "Name of the schedule that deletes the endpoint; null if there is no endpoint or endpoint_hours is null."
  value       = one(aws_scheduler_schedule.this[*].name)
}

output "lifetime_parameter" {
  description = "Name of the SSM parameter with the start and end of the endpoint's lifetime; null if there is no endpoint or endpoint_hours is null."
  value       = one(aws_ssm_parameter.lifetime[*].name)
}
