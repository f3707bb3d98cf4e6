"""Published figures that ours stand beside, each with its source."""

from collections.abc import Mapping

from subgoal.errors import ConfigInvalid, nearest
from subgoal.record import Record


class Published(Record):
    """The scores of a published agent on all 30 task types of ScienceWorld, 0..100."""

    name: str
    """What it is called here."""
    overall: float
    """Mean over all task types."""
    short: float | None = None
    """Mean over the short ones."""
    medium: float | None = None
    """Mean over the medium ones."""
    long: float | None = None
    """Mean over the long ones."""
    source: str
    """Where it stands."""

    def score(self, group: str) -> float | None:
        """Return the score of `all` or of a length class; None where none was published."""
        known = {"all": self.overall, "short": self.short, "medium": self.medium, "long": self.long}
        return known.get(group)


PUBLISHED_TYPES = 30
"""Over how many task types of ScienceWorld a published score is a mean: all of them."""

_TABLE_1 = "Hashemzadeh et al. 2024 (arXiv 2405.02749), table 1"

PUBLISHED: Mapping[str, Published] = {
    "sub-goal-distillation": Published(
        name="Sub-goal distillation, 3 x 770M (published)",
        overall=65.43,
        short=91.61,
        medium=62.83,
        long=45.35,
        source=_TABLE_1,
    ),
    "swift-only": Published(
        name="Swift-only, 770M (published)",
        overall=46.25,
        short=79.68,
        medium=35.80,
        long=25.4,
        source=_TABLE_1,
    ),
    "swiftsage-gpt-4": Published(
        name="SwiftSage with GPT-4 (published)", overall=84.68, source=_TABLE_1
    ),
    "swiftsage-gpt-3.5": Published(
        name="SwiftSage with GPT-3.5 (published)", overall=62.22, source=_TABLE_1
    ),
}
"""By the name that tables call them."""


def published(name: str) -> Published:
    """Return a published figure.

    Raises:
        ConfigInvalid: There is none of that name.
    """
    if name not in PUBLISHED:
        guess = nearest(name, PUBLISHED) or f"; there are: {', '.join(PUBLISHED)}"
        raise ConfigInvalid(f"there is no published figure '{name}'{guess}")
    return PUBLISHED[name]


class PublishedTokens(Record):
    """What an agent that asks a language model at run time was published to use."""

    method: str
    """Its name."""
    an_action: float
    """Tokens an action, read and written together, on ScienceWorld."""


TOKENS_SOURCE = (
    "Lin et al. 2023 (SwiftSage, arXiv 2305.17390), its table of cost-effectiveness, tokens an "
    "action on ScienceWorld"
)
"""Where the tokens an action stand; all four methods are in that one table."""

TOKENS_AN_ACTION: tuple[PublishedTokens, ...] = (
    PublishedTokens(method="SayCan", an_action=1855.84),
    PublishedTokens(method="ReAct", an_action=1971.03),
    PublishedTokens(method="Reflexion", an_action=2983.46),
    PublishedTokens(method="SwiftSage", an_action=757.07),
)
"""Agents with a language model at run time, as `TOKENS_SOURCE` has them."""
