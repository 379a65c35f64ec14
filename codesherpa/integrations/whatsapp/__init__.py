"""WhatsApp (Cloud API): messages in, replies out, each once."""

from codesherpa.integrations.whatsapp import desk

__all__ = ["desk"]
