"""The process that trains one student; started by `side_by_side`."""

import os
import sys

import torch

from subgoal.errors import SubgoalError
from subgoal.progress import relay_to
from subgoal.record import Record
from subgoal.run_folder import RunFolder
from subgoal.training.side_by_side import Order, failure_of
from subgoal.training.train import TrainConfig, train


def main() -> int:
    """Carry out the order on standard input; return the exit code."""
    # What libraries print must not come between the lines of JSON.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(record: Record) -> None:
        print(record.model_dump_json(), file=answers, flush=True)

    order = Order.model_validate_json(sys.stdin.buffer.readline())
    torch.set_num_threads(order.threads)
    relay_to(tell)
    try:
        train(TrainConfig.model_validate(order.config), RunFolder(order.folder, order.restart))
    except SubgoalError as error:
        tell(failure_of(error))
        return 2
    except KeyboardInterrupt:  # the parent says so
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
