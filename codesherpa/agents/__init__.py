"""Agents: who answers a user, and how."""
