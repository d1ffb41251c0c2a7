locals {
  store_id     = format(local.accounts, coalesce(var.store.resource_group, var.resource_group_name), var.store.account)
  container_id = "${local.store_id}/blobServices/default/containers/${var.store.container}"
  state        = "azblob://${trimsuffix("${var.store.account}/${var.store.container}/${trim(var.store.prefix, "/")}", "/")}?region=${var.store.location}"
}

# The log. Entries are never deleted: no lifecycle rule, a lock on the account, and what a person deletes can be brought
# back for 90 days.
resource "azurerm_storage_account" "log" {
  count = var.store.create ? 1 : 0

  name                            = var.store.account
  resource_group_name             = coalesce(var.store.resource_group, var.resource_group_name)
  location                        = var.store.location
  account_tier                    = "Standard"
  account_replication_type        = var.store.replication
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = false
  tags                            = var.tags

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 90
    }

    container_delete_retention_policy {
      days = 90
    }
  }
}

resource "azurerm_storage_container" "log" {
  count = length(azurerm_storage_account.log)

  name                  = var.store.container
  storage_account_id    = azurerm_storage_account.log[0].id
  container_access_type = "private"
}

resource "azurerm_management_lock" "log" {
  count = length(azurerm_storage_account.log)

  name       = "${var.name}-log"
  scope      = azurerm_storage_account.log[0].id
  lock_level = "CanNotDelete"
  notes      = "cloudfail's log: a run cannot be carried on without it."
}
