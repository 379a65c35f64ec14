"""Pull requests reviewed where they are: the webhook, the work that it causes, and what is said on GitHub."""
