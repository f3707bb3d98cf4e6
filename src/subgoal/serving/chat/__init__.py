"""Chat completions: the next message of a conversation, by the student or the LLM behind it."""
