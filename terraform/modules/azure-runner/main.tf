data "azurerm_client_config" "current" {}

locals {
  limit_seconds = 60
  accounts      = "/subscriptions/${data.azurerm_client_config.current.subscription_id}/resourceGroups/%s/providers/Microsoft.Storage/storageAccounts/%s"
}

# What the platform itself needs: a place for the archive, and for the lock that makes one of many instances the timer's.
# It is used by its key: with an identity the provider still writes a connection string without one, and the host does
# not start (hashicorp/terraform-provider-azurerm, issues 29693 and 30732). Nothing of cloudfail's own is in it.
resource "azurerm_storage_account" "host" {
  name                            = var.host_account
  resource_group_name             = var.resource_group_name
  location                        = var.location
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  tags                            = var.tags
}

resource "azurerm_storage_container" "archive" {
  name                  = "archive"
  storage_account_id    = azurerm_storage_account.host.id
  container_access_type = "private"
}

resource "azurerm_service_plan" "runner" {
  name                = "${var.name}-plan"
  resource_group_name = var.resource_group_name
  location            = var.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

# An archive of the same path is not noticed, so another content makes another app. Its identity and its roles stay.
resource "terraform_data" "archive" {
  triggers_replace = var.archive_sha256

  lifecycle {
    precondition {
      condition     = filesha256(var.archive) == var.archive_sha256
      error_message = "${var.archive} is not the archive whose SHA-256 is ${var.archive_sha256}."
    }
  }
}

# The archive's own code says when the timer goes off. Only one instance holds it, whatever their number.
resource "azurerm_function_app_flex_consumption" "runner" {
  name                        = var.name
  resource_group_name         = var.resource_group_name
  location                    = var.location
  service_plan_id             = azurerm_service_plan.runner.id
  runtime_name                = "python"
  runtime_version             = var.python
  instance_memory_in_mb       = var.memory_mb
  maximum_instance_count      = 40
  https_only                  = true
  storage_container_type      = "blobContainer"
  storage_container_endpoint  = "${azurerm_storage_account.host.primary_blob_endpoint}${azurerm_storage_container.archive.name}"
  storage_authentication_type = "StorageAccountConnectionString"
  storage_access_key          = azurerm_storage_account.host.primary_access_key
  zip_deploy_file             = var.archive
  tags                        = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = concat([azurerm_user_assigned_identity.watch.id], sort(var.execute_identity_ids))
  }

  app_settings = merge(var.environment, {
    AZURE_CLIENT_ID         = azurerm_user_assigned_identity.watch.client_id
    CLOUDFAIL_LIMIT_SECONDS = tostring(local.limit_seconds)
  })

  site_config {
    application_insights_connection_string = azurerm_application_insights.runner.connection_string
  }

  lifecycle {
    replace_triggered_by = [terraform_data.archive]
  }

  depends_on = [azurerm_role_assignment.log]
}
