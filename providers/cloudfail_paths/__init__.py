"""What holds for a network path whoever leads it: one effect after another look, and what must answer through it.
Providers stand on it; it is no provider itself.

Importing this package imports no vendor library.
"""
