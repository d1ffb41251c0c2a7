# The function's own identity watches: it reads, and it keeps the log. What changes anything else belongs to other
# identities.

resource "azurerm_user_assigned_identity" "watch" {
  name                = "${var.name}-watch"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "log" {
  scope                = local.container_id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.watch.principal_id
  principal_type       = "ServicePrincipal"

  depends_on = [azurerm_storage_container.log]
}

resource "azurerm_role_assignment" "watch" {
  for_each = var.watch_roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.watch.principal_id
  principal_type       = "ServicePrincipal"
}
