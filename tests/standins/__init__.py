"""Stand-ins for the services outside: real programs on loopback that speak the real wire formats."""
