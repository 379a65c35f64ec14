"""Projects: what a user works on."""
