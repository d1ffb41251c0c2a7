"""Azure: what a run needs of it. So far its store, Blob Storage.

Importing this package imports no vendor library.
"""
