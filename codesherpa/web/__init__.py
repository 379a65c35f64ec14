"""The page of the service itself, as files; what it does stands in web/ at the top."""
