"""HTTP: the paths of the server, who may ask, and what becomes of a request."""
