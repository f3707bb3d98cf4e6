"""From oracle paths to an agent that plays, in the tiny world `errand`: no Java, no API key.

python examples/train_in_five_minutes.py [RUN_FOLDER] [MINUTES]
"""

import sys
from pathlib import Path

import subgoal

CONFIG = Path(__file__).parents[1] / "configs" / "errand.toml"


def main(folder: str, minutes: float = 4, per_type: int = 40, played: int = 8) -> None:
    """Train for some minutes and play."""
    run = subgoal.Run(folder, CONFIG)
    run.collect(per_type=per_type)
    run.annotate()
    print(run.train(minutes=minutes))
    print(run.evaluate(agents=["hierarchical", "flat"], per_type=played))
    with run.agent() as agent:
        episode = agent.play("fetch")
    for step in episode.steps:
        print(f"  {step.subgoal} | {step.action}")
    print(f"score {episode.score}")


if __name__ == "__main__":
    folder, minutes = (*sys.argv[1:], *["runs/five-minutes", "4"][len(sys.argv) - 1 :])
    main(folder, float(minutes))
