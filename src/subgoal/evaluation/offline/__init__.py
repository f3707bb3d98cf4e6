"""How well students go on as a path went that they never saw; no world is needed."""
