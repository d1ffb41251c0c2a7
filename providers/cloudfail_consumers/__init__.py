"""What holds for consumers whoever runs them: one look, one verb that turns one thing on or off, and what receives.
Providers stand on it; it is no provider itself.

Importing this package imports no vendor library.
"""
