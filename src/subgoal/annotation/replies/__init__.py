"""Replies of teachers: read, aligned with the path, and repaired."""
