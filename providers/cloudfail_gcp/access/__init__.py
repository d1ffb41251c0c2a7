"""What a role must be allowed on Google Cloud: where a permission can be given, what is printed of it, and whether it
is there. What each kind needs stands in the `permissions.py` beside it; nothing here knows a kind."""
