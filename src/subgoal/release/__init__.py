"""Releases: an agent in one folder, ready to play, with its card."""
