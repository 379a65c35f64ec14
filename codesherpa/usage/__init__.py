"""What the models' calls cost: counted, kept and told."""
