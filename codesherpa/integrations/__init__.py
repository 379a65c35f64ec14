"""Where developers already are: webhooks of other services, and the durable work that they cause."""
