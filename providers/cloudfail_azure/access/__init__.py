"""What a role must be allowed on Azure: on which scope, what is printed of it, and whether it is there. What each kind
needs stands in the `permissions.py` beside it; nothing here knows a kind."""
