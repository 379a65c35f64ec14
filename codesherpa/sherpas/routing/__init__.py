"""How the words of a message are read: parted from code, written as ideas, weighed by rules over them."""
