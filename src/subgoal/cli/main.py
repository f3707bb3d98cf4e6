"""The command `subgoal`: finds the verb's module, runs it, and turns errors into one sentence."""

import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

import subgoal
from subgoal.environments.watch import WATCH
from subgoal.errors import SubgoalError, nearest
from subgoal.progress import console

VERBS = {
    "doctor": "check Java, torch, memory, a GPU and the teacher, or a world",
    "play": "watch one episode in the terminal, or play it yourself",
    "run": "the main job: collect, annotate, train, evaluate, report",
    "collect": "replay oracle paths in the world and store them as trajectories",
    "import": "make the logs of an agent the trajectories of a run",
    "annotate": "set sub-goals on the trajectories with a teacher, carry them over to the rest",
    "edit": "correct annotations by hand: a text file out, and back in",
    "augment": "rewrite annotated paths to be shorter, where the world allows it",
    "train": "train the students on the annotated trajectories",
    "evaluate": "play a protocol's tasks with the agents",
    "assess": "ask students on held-out paths, as of logs: right turns, tools, arguments",
    "report": "write the comparison as a table and one HTML file",
    "view": "watch episodes in a browser, and play on from any of them",
    "improve": "let an agent play train variations and learn from its own successes",
    "reinforce": "let students get better at what they do by the world's own score",
    "serve": "let an agent answer where an LLM was asked, over HTTP",
    "export": "write an agent that is ready, a student for other programs, or training data",
    "share": "put a run's agent and data on the Hugging Face hub, with their cards",
    "reproduce": "make a run again from its file, and say what differs",
    "runs": "did it help? compare runs; or list run folders, or remove them",
    "teacher-server": "a faulty teacher on this machine, to rehearse a costly annotation on",
    "completion": "print the script that completes verbs and options in a shell",
}
"""Every verb and what it does, in the order in which they are used."""
MOVED = {
    "matrix": "`python -m research.tables run`, in a clone of the repository",
    "report --table": "`python -m research.tables show`, in a clone of the repository",
    "export --to hub": "`subgoal share`",
}
"""What has left the command, and what does it now."""


def usage() -> str:
    """Return the text of `subgoal --help`."""
    width = max(map(len, VERBS))
    rows = [f"  {verb:<{width}}  {does}" for verb, does in VERBS.items()]
    return "\n".join(
        [
            "usage: subgoal VERB [--option value ...]     (subgoal help VERB tells its options)",
            "",
            "Distil a large language model's planning into small language agents.",
            "",
            *rows,
            "",
            "All stages of one experiment share a run folder (--run runs/mine); each can be run",
            "alone, goes on after an interruption, and says what it read and wrote. Options are",
            "named as in the TOML configuration: --train.training.tokens is tokens in",
            "[train.training].",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with 0, 2 (a mistake that a user can repair) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) > 1 and words[0] == "help":
        words = [words[1], "--help"]
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(usage() + "\n")
        raise SystemExit(0)
    if words[0] == "--version":
        sys.stdout.write(f"subgoal {subgoal.__version__}\n")
        raise SystemExit(0)
    verb, rest = words[0], words[1:]
    given = {verb, *(part for word in rest for part in word.split("="))}
    for old, new in MOVED.items():
        if verb == old.split()[0] and given.issuperset(old.split()):
            _complain(f"`subgoal {old}` is now {new}")
    if verb not in VERBS:
        _complain(f"there is no verb '{verb}'{nearest(verb, VERBS)} (see subgoal --help)")
    again = ["subgoal", verb, *(word for word in rest if word != "--restart")]
    guarded(lambda: _obey(verb, rest), again)


def module_of(verb: str) -> ModuleType:
    """Return the module of a verb: its `OPTIONS`, and the `command` that takes them."""
    name = "import_logs" if verb == "import" else verb.replace("-", "_")  # a word of Python
    return import_module(f"subgoal.cli.verbs.{name}")


def _obey(verb: str, words: Sequence[str]) -> None:
    from subgoal.cli.options import read_options

    module = module_of(verb)
    options = read_options(module.OPTIONS, f"subgoal {verb}", words)
    WATCH.ends_program = True
    try:
        module.command(options)
    finally:
        WATCH.ends_program = False


def guarded(work: Callable[[], None], words: Sequence[str]) -> None:
    """Do what a command asks for; an error that a user can repair is one sentence and exit code 2.

    Args:
        work: What it asks for.
        words: The command that goes on after Ctrl-C.
    """
    try:
        work()
    except SubgoalError as error:
        _complain(str(error))
    except KeyboardInterrupt:
        again = shlex.join(words)
        console.print(
            f"\ninterrupted; what was finished is kept, this goes on where it stopped:\n{again}",
            soft_wrap=True,
        )
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        what = error.filename or "a file"
        _complain(
            f"{what} cannot be read or written ({error.strerror or error}); choose another place, "
            "or make room, and run the same command again"
        )


def _complain(message: str) -> None:
    console.print(f"subgoal: {message}", style="red", soft_wrap=True)
    raise SystemExit(2) from None


if __name__ == "__main__":
    main()
