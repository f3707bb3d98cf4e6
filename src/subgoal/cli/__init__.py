"""The command `subgoal`: one module per verb."""
