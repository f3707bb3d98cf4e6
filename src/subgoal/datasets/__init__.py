"""From annotated trajectories to training examples: the one text format, splits, the tokenizer."""
