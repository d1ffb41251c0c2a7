"""The doors: the command line here; serverless ones beside it. Each translates, and leaves the work to `app`."""
