"""Hand-made logs as annotated paths."""

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.trajectories.logs.conversation import Author, LoggedConversation, Message
from subgoal.trajectories.logs.episode import trajectory
from subgoal.trajectories.logs.turn_text import read_turn


def logged(name, group, turns, goals=(("do", 0),), world="log:trips"):
    """Make an annotated path of a log.

    Args:
        name: The conversation's id.
        group: The number of its group.
        turns: Pairs of a turn of the agent, as text, and what is said before it.
        goals: Names of sub-goals, each with the number of its last turn; 0: the last of all.
        world: The log.
    """
    messages = []
    for said, turn in turns:
        own = read_turn(turn)
        messages.append(Message(author=Author.USER, text=said))
        messages.append(Message(author=Author.ASSISTANT, text=own.text, calls=own.calls))
    whole = LoggedConversation(id=name, messages=tuple(messages))
    path = trajectory(whole, world, "chat", group, 100, True)
    spans, first = [], 1
    for goal, last in goals:
        end = last or len(turns)
        spans.append(SubgoalSpan(subgoal=Subgoal(name=goal), first=first, last=end))
        first = end + 1
    return AnnotatedTrajectory(trajectory=path, spans=tuple(spans), teacher="test")
