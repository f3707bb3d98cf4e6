"""The process that trains one student; started by `side_by_side`.

Its standard input is a pipe that its parent holds open and never writes to again: where it is
closed the parent has ended, however that came, and this process ends too, at once and in silence.
It watches from its first moment; what takes seconds to import is imported after. On Linux the
kernel ends it as well, even while it computes and no thread of it gets a turn.
"""

import ctypes
import os
import queue
import signal
import sys
import threading

from subgoal.errors import SubgoalError
from subgoal.progress import relay_to
from subgoal.record import Record
from subgoal.storage.run_folder import RunFolder
from subgoal.training.parallel.side_by_side import TrainingOrder, failure_of

_PR_SET_PDEATHSIG = 1
"""Of `prctl`: the signal that a process gets when its parent ends."""


def main() -> int:
    """Carry out the order on standard input; return the exit code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_watch_parent, args=(orders,), daemon=True).start()
    try:
        return _carry_out(TrainingOrder.model_validate_json(orders.get()))
    except KeyboardInterrupt:  # the parent says so
        return 130
    except BrokenPipeError:  # the parent has ended; nothing more can be told to it
        os._exit(1)


def _watch_parent(orders: "queue.SimpleQueue[bytes]") -> None:
    """Hand the order on, and end the process when the pipe is closed."""
    line = b""
    while part := os.read(0, 1 << 16):  # not by `sys.stdin`: who reads it at the end holds it up
        line += part
        if line.endswith(b"\n"):
            orders.put(line)
    os._exit(1)


def _carry_out(order: TrainingOrder) -> int:
    # What libraries print must not come between the lines of JSON.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch

    from subgoal.training.config import TrainConfig
    from subgoal.training.train import train

    def tell(record: Record) -> None:
        print(record.model_dump_json(), file=answers, flush=True)

    torch.set_num_threads(order.threads)
    relay_to(tell)
    try:
        folder = RunFolder(order.folder, order.restart, order.kept)
        train(TrainConfig.model_validate(order.config), folder)
    except SubgoalError as error:
        tell(failure_of(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
