"""The API's own documentation, as pages that need no other host."""
