# The scheduled drift job.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix                = "scones-test"
  environment           = "test"
  schedule              = "cron(0 6 * * ? *)"
  window_hours          = 24
  model                 = { version = "v7", data_url = "s3://some-bucket/models/job/output/model.tar.gz" }
  image                 = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6-cpu-py312"
  bucket_name           = "some-bucket"
  bucket_arn            = "arn:aws:s3:::some-bucket"
  models_prefix         = "models"
  captures_prefix       = "data_capture/v7/some-endpoint/AllTraffic"
  history_prefix        = "history"
  review_prefix         = "review"
  namespace             = "scones-test"
  topic_arn             = "arn:aws:sns:us-east-1:123456789012:some-topic"
  undelivered_queue_arn = "arn:aws:sqs:us-east-1:123456789012:some-queue"
  kms_key_arn           = "arn:aws:kms:us-east-1:123456789012:key/some-key"
  permissions_boundary  = null
  tags                  = { Stack = "scones-test" }
}

run "schedule_starts_a_job_in_the_container_of_the_model" {
  module {
    source = "./modules/data_drift"
  }

  assert {
    condition = alltrue([
      one(aws_scheduler_schedule.this).schedule_expression == "cron(0 6 * * ? *)",
      one(aws_scheduler_schedule.this).target[0].arn == "arn:aws:scheduler:::aws-sdk:sagemaker:createProcessingJob",
      local.request.AppSpecification.ImageUri == var.image,
      one(local.request.ProcessingInputs).S3Input.S3Uri == var.model.data_url,
      local.request.Environment.MODEL == "v7",
      !can(local.request.NetworkConfig) && !can(local.request.Environment.PIP_NO_INDEX),
    ])
    error_message = "The schedule must start a processing job with the model's archive, in the model's inference image."
  }

  assert {
    condition     = strcontains(one(aws_scheduler_schedule.this).target[0].input, "scones-test-drift-<aws.scheduler.execution-id>") && output.request == one(aws_scheduler_schedule.this).target[0].input
    error_message = "The request must have plain angle brackets, because Scheduler does not replace words in escaped angle brackets."
  }

  assert {
    condition     = length(local.script) <= 256
    error_message = "An argument of the container must have at most 256 characters, which is SageMaker's limit."
  }

  assert {
    condition     = one(one(aws_scheduler_schedule.this).target[0].dead_letter_config).arn == var.undelivered_queue_arn
    error_message = "A job that could not be started must be reported."
  }
}

run "each_group_has_an_alarm_that_keeps_its_state_between_jobs" {
  module {
    source = "./modules/data_drift"
  }

  assert {
    condition = alltrue([
      toset([for alarm in aws_cloudwatch_metric_alarm.this : alarm.dimensions.Group]) == toset(["confidence", "classes", "image_statistics", "embedding"]),
      alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "ignore" && contains(alarm.alarm_actions, var.topic_arn)]),
    ])
    error_message = "Each group of properties must have an alarm that publishes to the topic."
  }

  assert {
    condition     = jsondecode(one(aws_cloudwatch_event_rule.failed).event_pattern).detail.ProcessingJobName[0].prefix == "scones-test-drift-"
    error_message = "A job that fails must be reported."
  }
}

run "schedule_starts_only_drift_jobs" {
  command = plan

  module {
    source = "./modules/data_drift"
  }

  assert {
    condition = alltrue([
      toset(one(data.aws_iam_policy_document.this).statement[0].actions) == toset(["sagemaker:AddTags", "sagemaker:CreateProcessingJob"]),
      toset(one(data.aws_iam_policy_document.this).statement[0].resources) == toset(["arn:aws:sagemaker:us-east-1:123456789012:processing-job/scones-test-drift-*"]),
    ])
    error_message = "The schedule's role must start only drift jobs."
  }
}

run "job_in_a_vpc_runs_in_its_subnets_and_does_not_contact_a_package_index" {
  command = plan

  module {
    source = "./modules/data_drift"
  }

  variables {
    network         = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
    bundle_packages = true
  }

  assert {
    condition = alltrue([
      local.request.NetworkConfig.VpcConfig.Subnets == tolist(["subnet-1"]),
      !can(local.request.NetworkConfig.EnableNetworkIsolation), # an isolated container could not call S3
      local.request.Environment.PIP_NO_INDEX == "1",
    ])
    error_message = "The job must run in the VPC and install only the model's packages."
  }
}

run "model_without_a_baseline_has_no_job" {
  command = plan

  module {
    source = "./modules/data_drift"
  }

  variables {
    model = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_cloudwatch_metric_alarm.this) == 0 && output.request == null
    error_message = "Without a baseline there must be no job and no alarm."
  }
}

run "null_schedule_disables_the_drift_job" {
  command = plan

  module {
    source = "./modules/data_drift"
  }

  variables {
    schedule = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && length(aws_cloudwatch_metric_alarm.this) == 0
    error_message = "Without a schedule there must be no job and no alarm."
  }
}

run "invalid_variables_are_rejected" {
  command = plan

  module {
    source = "./modules/data_drift"
  }

  variables {
    schedule     = "daily"
    window_hours = 0
    model        = { version = "v7", data_url = "model.tar.gz" }
  }

  expect_failures = [var.schedule, var.window_hours, var.model]
}
