output "schedule_name" {
  description = "Schedule that ends the endpoint; null where nothing does."
  value       = one(aws_scheduler_schedule.this[*].name)
}
