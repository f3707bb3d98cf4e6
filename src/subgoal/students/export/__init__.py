"""Students in other forms, for other programs."""
