"""The conversation: messages, the replies that are written to them, live and stored."""
