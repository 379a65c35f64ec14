"""What can be known about code without a model."""
