# With plugins or without: nothing is created, and no project is asked.

mock_provider "google" {}

variables {
  project         = "shop-cloudfail"
  region          = "europe-west3"
  watched_regions = ["us-east1", "us-west1"]
  store           = { bucket = "shop-cloudfail-log", location = "eur4" }
  archive         = "tests/archive"
  archive_sha256  = "9f4859070c9b012c7e4bc5395882f14ccf9bf749feaafc0fd9997734762a38bb"
  notify          = { channels = ["projects/shop-cloudfail/notificationChannels/1"] }
}

run "one_function_at_a_time_called_once_a_minute" {
  command = plan

  assert {
    condition = (
      google_cloudfunctions2_function.runner.build_config[0].entry_point == "tick_http"
      && google_cloudfunctions2_function.runner.service_config[0].max_instance_count == 1
      && google_cloudfunctions2_function.runner.service_config[0].max_instance_request_concurrency == 1
    )
    error_message = "The function is not what docs/functions.md says."
  }

  assert {
    condition     = google_cloudfunctions2_function.runner.service_config[0].environment_variables.CLOUDFAIL_LIMIT_SECONDS == tostring(google_cloudfunctions2_function.runner.service_config[0].timeout_seconds)
    error_message = "It must be told the time that it was deployed with."
  }

  assert {
    condition     = google_cloud_scheduler_job.tick.schedule == "* * * * *" && google_cloud_scheduler_job.tick.http_target[0].http_method == "POST"
    error_message = "A tick is asked for with POST, each minute."
  }
}

run "the_schedule_calls_as_somebody_who_may" {
  command = apply

  assert {
    condition = (
      google_cloud_scheduler_job.tick.http_target[0].oidc_token[0].service_account_email == google_service_account.schedule.email
      && google_cloud_run_v2_service_iam_member.schedule.member == "serviceAccount:${google_service_account.schedule.email}"
      && google_cloud_run_v2_service_iam_member.schedule.role == "roles/run.invoker"
    )
    error_message = "Who calls is not who may."
  }

  assert {
    condition     = google_cloud_scheduler_job.tick.http_target[0].uri == google_cloudfunctions2_function.runner.service_config[0].uri
    error_message = "It calls something else."
  }
}

run "a_bucket_that_deletes_nothing" {
  command = plan

  assert {
    condition     = output.state == "gs://shop-cloudfail-log?location=eur4"
    error_message = output.state
  }

  assert {
    condition     = google_storage_bucket.log[0].uniform_bucket_level_access && length(google_storage_bucket.log[0].lifecycle_rule) == 0 && length(google_storage_bucket.log[0].retention_policy) == 0
    error_message = "Uniform access, and no rule that deletes."
  }
}

run "a_bucket_with_a_prefix_and_a_retention" {
  command = plan

  variables {
    store = { bucket = "shop-cloudfail-log", location = "europe-west4", prefix = "shop", retention_days = 30 }
  }

  assert {
    condition     = output.state == "gs://shop-cloudfail-log/shop?location=europe-west4"
    error_message = output.state
  }

  assert {
    condition     = tonumber(google_storage_bucket.log[0].retention_policy[0].retention_period) == 2592000 && !google_storage_bucket.log[0].versioning[0].enabled
    error_message = "Thirty days, in seconds."
  }
}

run "another_runner_on_a_bucket_that_is_there" {
  command = plan

  variables {
    name  = "cloudfail-west"
    store = { bucket = "shop-cloudfail-log", location = "eur4", create = false }
  }

  assert {
    condition     = length(google_storage_bucket.log) == 0
    error_message = "It uses the bucket, and makes none."
  }
}

run "executing_is_somebody_else" {
  command = plan

  variables {
    watch_roles              = { dns = { project = "shop", role = "roles/dns.reader" } }
    execute_service_accounts = ["projects/shop/serviceAccounts/execute@shop.iam.gserviceaccount.com"]
  }

  assert {
    condition     = [for one in google_service_account_iam_member.execute : one.role] == ["roles/iam.serviceAccountTokenCreator"]
    error_message = "It may act as them, and nothing more."
  }

  assert {
    condition     = [for one in google_project_iam_member.watch : one.role] == ["roles/dns.reader"]
    error_message = "It reads what it was given to read."
  }
}

run "the_python_that_the_archive_was_built_for" {
  command = plan

  variables {
    python = "3.12"
  }

  assert {
    condition     = google_cloudfunctions2_function.runner.build_config[0].runtime == "python312"
    error_message = "Its libraries are for another Python."
  }
}

run "a_store_in_a_region_that_may_be_evacuated_is_refused" {
  command = plan

  variables {
    store = { bucket = "shop-cloudfail-log", location = "us-west1" }
  }

  expect_failures = [var.store]
}

run "a_location_that_is_written_otherwise_is_refused" {
  command = plan

  variables {
    store = { bucket = "shop-cloudfail-log", location = "US-WEST1" }
  }

  expect_failures = [var.store]
}

run "an_alert_that_nobody_hears_is_refused" {
  command = plan

  variables {
    notify = { channels = [] }
  }

  expect_failures = [var.notify]
}

run "another_archive_than_the_one_looked_at_is_refused" {
  command = plan

  variables {
    archive_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  }

  expect_failures = [google_storage_bucket_object.archive]
}

run "a_watcher_that_could_change_something_is_refused" {
  command = plan

  variables {
    watch_roles = { dns = { project = "shop", role = "roles/dns.admin" } }
  }

  expect_failures = [var.watch_roles]
}

run "an_executing_account_without_its_project_is_refused" {
  command = plan

  variables {
    execute_service_accounts = ["execute@shop.iam.gserviceaccount.com"]
  }

  expect_failures = [var.execute_service_accounts]
}

run "another_time_limit_than_the_functions_is_refused" {
  command = plan

  variables {
    environment = { CLOUDFAIL_LIMIT_SECONDS = "600" }
  }

  expect_failures = [var.environment]
}
