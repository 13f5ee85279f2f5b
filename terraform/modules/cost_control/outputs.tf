output "schedule_name" {
  description = "Name of the schedule that deletes the endpoint; null without an endpoint or without endpoint_hours."
  value       = one(aws_scheduler_schedule.this[*].name)
}
