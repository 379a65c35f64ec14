"""The project's tools for breaking things: a ledger, a relay, and a driver that kills workers."""
