"""Databases on Google Cloud: so far, a way to keep new connections from one's own servers on Compute Engine."""
