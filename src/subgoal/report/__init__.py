"""Reports: typed data first, then the terminal and the HTML page."""
