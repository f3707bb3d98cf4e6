"""What is in use: an agent behind a server, and episodes to watch."""
