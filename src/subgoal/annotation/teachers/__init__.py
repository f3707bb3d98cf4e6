"""Teachers: who sets sub-goals on a trajectory."""
