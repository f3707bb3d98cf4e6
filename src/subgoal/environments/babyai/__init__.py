"""BabyAI: missions in rooms of a grid, from the package `minigrid`, told in words."""
