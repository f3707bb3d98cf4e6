"""An agent that is ready, first in its own world, then in a loop of yours.

python examples/play_an_agent.py [TASK_TYPE]
"""

import sys

import subgoal
from subgoal.environments.registry import make


def main(task_type: str = "find-animal", steps: int = 100) -> None:
    """Let the agent play a task, and again where this program sends the actions."""
    with subgoal.load_agent("scienceworld") as agent:
        episode = agent.play(task_type)
        print(f"in its own world: score {episode.score} after {len(episode.steps)} steps")

        with make("scienceworld") as world:  # any loop of yours: a program, a site, a robot
            opening = world.reset(episode.task)
            session = agent.session(opening.task.description)
            step = session.act(opening.look, look=opening.look, inventory=opening.inventory)
            score = 0
            for _ in range(steps):
                print(f"  {step.subgoal} | {step.action} ({step.certainty:.0%})")
                answer = world.step(step.action)
                score = answer.score
                if answer.stop_reason is not None:
                    break
                step = session.act(
                    answer.observation,
                    look=world.look(),
                    inventory=world.inventory(),
                    accepted=answer.accepted,
                    entered=answer.entered,
                    valid_actions=() if answer.accepted else world.valid_actions(),
                    score=score,
                )
            print(f"in this loop: score {score}")
            session.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "find-animal")
