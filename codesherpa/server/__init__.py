"""How gunicorn runs the application: its listening sockets and its connections."""
