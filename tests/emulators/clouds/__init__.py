"""An application over three clouds, all of whose emulators run at once."""
