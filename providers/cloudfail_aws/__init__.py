"""AWS: what a run needs of Amazon Web Services. So far its stores, DynamoDB and S3.

Importing this package imports no vendor library.
"""
