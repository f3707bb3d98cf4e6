"""Transfer: annotations of some paths are carried over to others of their task type."""
