"""Episodes to watch in a browser, recorded or live."""
