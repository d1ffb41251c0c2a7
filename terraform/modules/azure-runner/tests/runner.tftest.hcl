# With plugins or without: nothing is created, and no subscription is asked.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = { subscription_id = "00000000-0000-0000-0000-000000000001" }
  }

  mock_resource "azurerm_storage_account" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/mocked" }
  }
}

variables {
  name                = "shop-cloudfail"
  resource_group_name = "shop"
  location            = "westeurope"
  watched_regions     = ["eastus2", "westus2"]
  host_account        = "shopcloudfailhost"
  store               = { account = "shopcloudfaillog", location = "westeurope" }
  archive             = "tests/archive"
  archive_sha256      = "9f4859070c9b012c7e4bc5395882f14ccf9bf749feaafc0fd9997734762a38bb"
  notify = {
    action_group_ids = ["/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.Insights/actionGroups/page"]
    location         = "westeurope"
  }
}

run "the_functions_settings" {
  command = plan

  assert {
    condition = (
      azurerm_function_app_flex_consumption.runner.runtime_name == "python"
      && azurerm_function_app_flex_consumption.runner.runtime_version == "3.13"
      && azurerm_function_app_flex_consumption.runner.https_only
      && azurerm_service_plan.runner.sku_name == "FC1"
    )
    error_message = "The function is not what docs/functions.md says."
  }

  assert {
    condition     = azurerm_storage_account.log[0].shared_access_key_enabled == false
    error_message = "An account's key would go around every role."
  }
}

run "an_account_that_nobody_deletes" {
  command = plan

  assert {
    condition     = output.state == "azblob://shopcloudfaillog/cloudfail?region=westeurope"
    error_message = output.state
  }

  assert {
    condition     = azurerm_management_lock.log[0].lock_level == "CanNotDelete" && azurerm_storage_account.log[0].blob_properties[0].versioning_enabled
    error_message = "The account can be deleted, or its entries not be brought back."
  }
}

run "a_prefix" {
  command = plan

  variables {
    store = { account = "shopcloudfaillog", location = "westeurope", container = "logs", prefix = "/shop/" }
  }

  assert {
    condition     = output.state == "azblob://shopcloudfaillog/logs/shop?region=westeurope"
    error_message = output.state
  }
}

run "another_runner_on_a_container_that_is_there" {
  command = plan

  variables {
    name         = "shop-cloudfail-north"
    host_account = "shopcloudfailhostnorth"
    location     = "northeurope"
    store        = { account = "shopcloudfaillog", location = "westeurope", resource_group = "log", create = false }
  }

  assert {
    condition     = length(azurerm_storage_account.log) + length(azurerm_storage_container.log) == 0
    error_message = "It uses the container, and makes none."
  }

  assert {
    condition     = azurerm_role_assignment.log.scope == "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/log/providers/Microsoft.Storage/storageAccounts/shopcloudfaillog/blobServices/default/containers/cloudfail"
    error_message = azurerm_role_assignment.log.scope
  }
}

run "everything_that_is_made" {
  command = apply

  variables {
    execute_identity_ids = ["/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/execute"]
    watch_roles          = { shop = { scope = "/subscriptions/00000000-0000-0000-0000-000000000001", role = "Monitoring Reader" } }
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.runner.app_settings.AZURE_CLIENT_ID == azurerm_user_assigned_identity.watch.client_id
    error_message = "It is the watching identity unless told otherwise."
  }

  assert {
    condition     = length(azurerm_function_app_flex_consumption.runner.identity[0].identity_ids) == 2
    error_message = "Its own identity, and the one that executes."
  }

  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.not_run.location == "westeurope" && azurerm_monitor_scheduled_query_rules_alert_v2.not_run.criteria[0].operator == "LessThan"
    error_message = "No rows are what the alarm is for."
  }
}

run "the_python_that_the_archive_was_built_for" {
  command = plan

  variables {
    python = "3.12"
  }

  assert {
    condition     = azurerm_function_app_flex_consumption.runner.runtime_version == "3.12"
    error_message = "Its libraries are for another Python."
  }
}

run "a_store_in_a_region_that_may_be_evacuated_is_refused" {
  command = plan

  variables {
    store = { account = "shopcloudfaillog", location = "westus2" }
  }

  expect_failures = [var.store]
}

run "a_store_that_is_copied_later_is_refused" {
  command = plan

  variables {
    store = { account = "shopcloudfaillog", location = "westeurope", replication = "GRS" }
  }

  expect_failures = [var.store]
}

run "an_alarm_in_a_region_that_may_be_evacuated_is_refused" {
  command = plan

  variables {
    notify = { action_group_ids = ["page"], location = "eastus2" }
  }

  expect_failures = [var.notify]
}

run "an_alarm_that_nobody_hears_is_refused" {
  command = plan

  variables {
    notify = { action_group_ids = [], location = "westeurope" }
  }

  expect_failures = [var.notify]
}

run "a_region_that_is_written_otherwise_is_refused" {
  command = plan

  variables {
    watched_regions = ["East US 2"]
  }

  expect_failures = [var.watched_regions]
}

run "another_archive_than_the_one_looked_at_is_refused" {
  command = plan

  variables {
    archive_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  }

  expect_failures = [terraform_data.archive]
}

run "a_watcher_that_could_change_something_is_refused" {
  command = plan

  variables {
    watch_roles = { shop = { scope = "/subscriptions/00000000-0000-0000-0000-000000000001", role = "Reader and Data Access" } }
  }

  expect_failures = [var.watch_roles]
}

run "the_logs_account_for_the_host_is_refused" {
  command = plan

  variables {
    host_account = "shopcloudfaillog"
  }

  expect_failures = [var.host_account]
}

run "another_time_limit_than_the_functions_is_refused" {
  command = plan

  variables {
    environment = { CLOUDFAIL_LIMIT_SECONDS = "600" }
  }

  expect_failures = [var.environment]
}
