"""Google Cloud: what a run needs of it. So far its store, Cloud Storage.

Importing this package imports no vendor library.
"""
