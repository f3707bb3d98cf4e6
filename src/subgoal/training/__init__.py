"""Students: making, fine-tuning, saving and loading small language models."""
