"""Any Gymnasium environment that speaks in texts, as a world."""
