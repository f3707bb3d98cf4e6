"""How servers are reached: addresses, secrets, and HTTP to servers that are not trusted."""
