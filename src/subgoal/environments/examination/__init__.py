"""A world under examination: what the contract's tests assert and `subgoal doctor` tells."""
