"""Sub-goals: teachers annotate trajectories, replies are read, annotations are carried over."""
