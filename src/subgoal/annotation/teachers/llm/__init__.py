"""The teacher that is a large language model behind an OpenAI-compatible endpoint."""
