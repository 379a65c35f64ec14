"""What an operator sees of the service: its log, its metrics, its traces."""
