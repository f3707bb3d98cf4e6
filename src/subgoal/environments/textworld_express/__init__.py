"""TextWorldExpress: nine text games, fast."""
