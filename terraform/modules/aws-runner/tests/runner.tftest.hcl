# With plugins or without: nothing is created, and no account is asked.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  region          = "eu-central-1"
  watched_regions = ["us-east-1", "us-west-2"]
  store           = { regions = ["eu-central-1"] }
  archive         = "tests/archive"
  archive_sha256  = "9f4859070c9b012c7e4bc5395882f14ccf9bf749feaafc0fd9997734762a38bb"
  notify          = { eu-central-1 = ["arn:aws:sns:eu-central-1:123456789012:page"] }
}

run "one_function_at_a_time_called_once_a_minute" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.runner.handler == "cloudfail.entrypoints.aws_lambda.handler"
      && aws_lambda_function.runner.timeout == 60
      && aws_lambda_function.runner.reserved_concurrent_executions == 1
    )
    error_message = "The function is not what docs/functions.md says."
  }

  assert {
    condition     = aws_scheduler_schedule.tick.schedule_expression == "rate(1 minute)"
    error_message = "It is not called each minute."
  }
}

run "a_table_in_a_witness_region" {
  command = plan

  assert {
    condition     = output.state == "dynamodb://cloudfail?region=eu-central-1"
    error_message = output.state
  }

  assert {
    condition     = aws_dynamodb_table.log[0].deletion_protection_enabled && aws_dynamodb_table.log[0].point_in_time_recovery[0].enabled
    error_message = "The table can be deleted, or not be brought back."
  }

  assert {
    condition     = length(aws_dynamodb_table.log[0].replica) == 0
    error_message = "A table in one region has no replica."
  }
}

run "a_table_in_three_regions_is_strongly_consistent" {
  command = plan

  variables {
    region = "us-west-2"
    store  = { regions = ["us-east-2", "us-west-2", "us-east-1"] }
    notify = {
      us-west-2 = ["arn:aws:sns:us-west-2:123456789012:page"]
      us-east-2 = ["arn:aws:sns:us-east-2:123456789012:page"]
    }
  }

  assert {
    condition     = output.state == "dynamodb://cloudfail?regions=us-east-2,us-west-2,us-east-1"
    error_message = output.state
  }

  assert {
    condition     = toset([for one in aws_dynamodb_table.log[0].replica : "${one.region_name} ${one.consistency_mode}"]) == toset(["us-west-2 STRONG", "us-east-1 STRONG"])
    error_message = "Two replicas, both strongly consistent."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.not_run.region == "us-west-2" && aws_cloudwatch_metric_alarm.log_not_read.region == "us-east-2"
    error_message = "The alarms stand in two regions."
  }
}

run "two_regions_and_a_witness" {
  command = plan

  variables {
    store = { regions = ["us-east-2", "us-west-2"], witness = "us-east-1" }
    notify = {
      eu-central-1 = ["arn:aws:sns:eu-central-1:123456789012:page"]
      us-east-2    = ["arn:aws:sns:us-east-2:123456789012:page"]
    }
  }

  assert {
    condition     = output.state == "dynamodb://cloudfail?regions=us-east-2,us-west-2"
    error_message = output.state
  }

  assert {
    condition     = aws_dynamodb_table.log[0].global_table_witness[0].region_name == "us-east-1"
    error_message = "The witness is named."
  }
}

run "another_runner_on_a_table_that_is_there" {
  command = plan

  variables {
    name  = "cloudfail-west"
    store = { regions = ["eu-central-1"], table = "cloudfail", create = false }
  }

  assert {
    condition     = length(aws_dynamodb_table.log) == 0 && output.state == "dynamodb://cloudfail?region=eu-central-1"
    error_message = "It uses the table, and makes none."
  }
}

run "alarms_wake_it" {
  command = plan

  variables {
    wake_on_alarms = ["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout"]
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.alarm[0].event_pattern).resources == ["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout"]
    error_message = "Only the alarms that are named wake it."
  }
}

run "without_alarms_no_rule" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_event_rule.alarm) + length(aws_lambda_permission.alarm) == 0
    error_message = "Nothing but the schedule may call it."
  }
}

run "executing_is_another_role" {
  command = plan

  variables {
    execute_statements = [{
      sid       = "Database"
      actions   = ["rds:FailoverGlobalCluster"]
      resources = ["arn:aws:rds::123456789012:global-cluster:orders"]
    }]
    execute_roles = ["arn:aws:iam::210987654321:role/cloudfail-execute"]
  }

  assert {
    condition = output.execute_role_arns == tolist([
      "arn:aws:iam::123456789012:role/cloudfail-execute",
      "arn:aws:iam::210987654321:role/cloudfail-execute",
    ])
    error_message = "Its own, and the other account's."
  }

  assert {
    condition = [for one in jsondecode(aws_iam_role_policy.watch.policy).Statement : jsonencode(one) if one.Sid == "Execute"] == [jsonencode({
      Action   = ["sts:AssumeRole"]
      Effect   = "Allow"
      Resource = output.execute_role_arns
      Sid      = "Execute"
    })]
    error_message = "It may assume these, and no other."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.watch.policy, "rds:")
    error_message = "The function's own role may not do what it may only do through another."
  }
}

run "the_python_that_the_archive_was_built_for" {
  command = plan

  variables {
    python = "3.12"
  }

  assert {
    condition     = aws_lambda_function.runner.runtime == "python3.12"
    error_message = "Its libraries are for another Python."
  }
}

run "a_store_in_a_region_that_may_be_evacuated_is_refused" {
  command = plan

  variables {
    store  = { regions = ["us-west-2"] }
    notify = { eu-central-1 = ["arn:aws:sns:eu-central-1:123456789012:page"], us-west-2 = ["arn:aws:sns:us-west-2:123456789012:page"] }
  }

  expect_failures = [var.store]
}

run "two_regions_without_a_witness_are_refused" {
  command = plan

  variables {
    store  = { regions = ["us-east-2", "us-west-2"] }
    notify = { eu-central-1 = ["arn:aws:sns:eu-central-1:123456789012:page"], us-east-2 = ["arn:aws:sns:us-east-2:123456789012:page"] }
  }

  expect_failures = [var.store]
}

run "both_alarms_in_one_region_of_three_are_refused" {
  command = plan

  variables {
    region = "us-east-2"
    store  = { regions = ["us-east-2", "us-west-2", "us-east-1"] }
    notify = { us-east-2 = ["arn:aws:sns:us-east-2:123456789012:page"] }
  }

  expect_failures = [var.store]
}

run "an_alarm_that_nobody_hears_is_refused" {
  command = plan

  variables {
    notify = { us-east-1 = ["arn:aws:sns:us-east-1:123456789012:page"] }
  }

  expect_failures = [var.notify]
}

run "another_archive_than_the_one_looked_at_is_refused" {
  command = plan

  variables {
    archive_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  }

  expect_failures = [aws_lambda_function.runner]
}

run "a_watcher_that_could_change_something_is_refused" {
  command = plan

  variables {
    watch_statements = [{ sid = "Database", actions = ["rds:FailoverGlobalCluster"], resources = ["*"] }]
  }

  expect_failures = [var.watch_statements]
}

run "a_watcher_with_a_wildcard_is_refused" {
  command = plan

  variables {
    watch_statements = [{ sid = "Database", actions = ["rds:Describe*"], resources = ["*"] }]
  }

  expect_failures = [var.watch_statements]
}

run "executing_on_everything_is_refused" {
  command = plan

  variables {
    execute_statements = [{ sid = "Database", actions = ["rds:FailoverGlobalCluster"], resources = ["*"] }]
  }

  expect_failures = [var.execute_statements]
}

run "an_alarm_of_another_region_is_refused" {
  command = plan

  variables {
    wake_on_alarms = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:checkout"]
  }

  expect_failures = [var.wake_on_alarms]
}
