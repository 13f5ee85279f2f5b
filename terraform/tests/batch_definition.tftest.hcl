# The definition of the state machine that classifies many images: sources, batches and retries.

variables {
  bucket_name    = "some-bucket"
  image_prefixes = ["train", "test"]
  batch_prefix   = "batch"
  function_arns = {
    classify_batch = "arn:aws:lambda:us-east-1:123456789012:function:classify_batch"
    summarize      = "arn:aws:lambda:us-east-1:123456789012:function:summarize"
  }
}

run "each_source_runs_the_same_map" {
  command = plan

  module {
    source = "./modules/batch_definition"
  }

  assert {
    condition = toset([for name, state in jsondecode(output.json).States : name if state.Type == "Map"]) == toset([
      "ClassifyPrefix", "ClassifyManifest", "ClassifyCsvManifest", "ClassifyKeys"
    ])
    error_message = "There must be a Map for a prefix, for each format of a manifest, and for a list of keys."
  }

  assert {
    condition = alltrue([
      for state in jsondecode(output.json).States : alltrue([
        state.ItemBatcher.MaxItemsPerBatch == 100,
        state.MaxConcurrency == 8,
        state.ToleratedFailurePercentage == 5,
        state.ItemProcessor.ProcessorConfig == { Mode = "DISTRIBUTED", ExecutionType = "EXPRESS" },
        state.ResultWriter.WriterConfig == { Transformation = "NONE", OutputType = "JSONL" },
        state.Next == "Summarize",
        # Step Functions redrives a failed Map only if no state catches its error
        !can(state.Catch),
      ]) if state.Type == "Map"
    ])
    error_message = "Every Map must run batches of 100 images as EXPRESS executions, and catch no error."
  }

  assert {
    condition = length(distinct(flatten([
      for name, state in jsondecode(output.json).States : [name, try(keys(state.ItemProcessor.States), [])]
      ]))) == sum([
      for name, state in jsondecode(output.json).States : 1 + length(try(keys(state.ItemProcessor.States), []))
    ])
    error_message = "The name of a state must be unique in the whole definition."
  }

  assert {
    condition = alltrue(flatten([
      for state in jsondecode(output.json).States : [
        for task in values(state.ItemProcessor.States) : alltrue([
          # an attempt of classify_batch may take 120 seconds, and an Express execution 300 seconds
          task.TimeoutSeconds > 120 && task.TimeoutSeconds < 300,
          task.Retry[0].JitterStrategy == "FULL",
          toset([for error in task.Retry[0].ErrorEquals : error if !startswith(error, "Lambda.")]) == toset(["EndpointUnavailableError", "StorageUnavailableError", "Runtime.ExitError"]),
        ])
      ] if state.Type == "Map"
    ]))
    error_message = "Transient errors must be retried with jitter, within the time limit of an Express execution."
  }

  assert {
    condition = alltrue([
      for task in concat([jsondecode(output.json).States.Summarize], flatten([
        for state in jsondecode(output.json).States : values(state.ItemProcessor.States) if state.Type == "Map"
      ])) :
      anytrue([
        for retry in task.Retry : alltrue([
          contains(retry.ErrorEquals, "Lambda.ResourceNotReadyException"),
          contains(retry.ErrorEquals, "Lambda.ResourceConflictException"),
          !can(retry.JitterStrategy),
          retry.BackoffRate == 1,
          retry.IntervalSeconds * retry.MaxAttempts > 90,
          # the last attempt may take 120 seconds
          retry.IntervalSeconds * retry.MaxAttempts + 120 < 300,
        ])
      ])
    ])
    error_message = "An inactive function must be invoked again for more than 90 seconds, within the time limit of an Express execution."
  }

  assert {
    condition = alltrue([
      for choice in jsondecode(output.json).States.ChooseSource.Choices :
      slice(choice.And, 0, 3)[*].Variable == ["$.prefix", "$.manifest", "$.keys"] && length([for test in slice(choice.And, 0, 3) : test if test.IsPresent]) == 1
    ])
    error_message = "Each choice must require exactly one source in the input."
  }
}

run "invalid_settings_are_rejected" {
  command = plan

  module {
    source = "./modules/batch_definition"
  }

  variables {
    settings      = { batch_size = 1000 }
    function_arns = { summarize = "arn:aws:lambda:us-east-1:123456789012:function:summarize" }
  }

  expect_failures = [var.settings, var.function_arns]
}
