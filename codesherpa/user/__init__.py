"""Who uses the service: the account, its profile and its password."""
