"""Signing in: sessions, their tokens, and who holds one."""
