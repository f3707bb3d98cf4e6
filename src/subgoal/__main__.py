"""`python -m subgoal` is the command `subgoal`."""

from subgoal.cli.main import main

if __name__ == "__main__":
    main()
