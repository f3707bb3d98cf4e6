"""What of a text is personal or secret, and how it is recognised.

Kinds and shapes are those of public scanners and of whoever issues the values: detect-secrets 1.5
(Yelp) and gitleaks for keys and tokens, ISO 13616 and its registry for IBANs, ISO/IEC 7812 for
cards, E.164 for phones. Where there are check digits they are computed, so that ids of the same
shape stay. Scanners say that a line holds a secret, often by its first characters; here every
character of it must be found, in texts that may be JSON or pieces of it.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote


class Sensitive(StrEnum):
    """Kinds of what is replaced."""

    PRIVATE_KEY = "private-key"
    """A private key in PEM or PGP form."""
    LOGIN = "login"
    """User and password in a URL."""
    SECRET = "secret"  # noqa: S105
    """An API key, a token, or what is called a password."""
    EMAIL = "email"
    """An e-mail address."""
    IBAN = "iban"
    """The number of a bank account."""
    CARD = "card"
    """The number of a payment card."""
    PHONE = "phone"
    """A phone number."""


class Rule(NamedTuple):
    """How a kind is found in words."""

    kind: Sensitive
    """The kind."""
    pattern: re.Pattern[str]
    """Where it may stand; the group `it` is replaced."""
    holds: Callable[[str], bool] = bool
    """Whether what was found is one."""


_ANY = re.IGNORECASE | re.DOTALL
_ESCAPED = r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})"  # in a piece of JSON
_AFTER = rf"(?:(?<![A-Za-z0-9])|{_ESCAPED})"
_DIGIT_LATER = r"(?=[^\s\"'<>]{0,99}\d)"

_HIDDEN = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret"
    r"|(?:api|access|auth|encryption|private|secret)[-_ ]?key"
    r"|(?:access|api|auth|bearer|id|refresh|session)[-_ ]?token)s?"
)
_SHOWN = r"(?:authorization|credentials?|(?:set-)?cookie)"  # some hold a word, such as "approved"
_PHONE_NAME = r"(?:phone|mobile|cell|tel|telephone|fax|whatsapp)(?:[-_ ]?(?:number|no))?"
_NAMED = (  # kind, keys, values
    (Sensitive.SECRET, rf".*{_HIDDEN}", r".*\S.*"),
    (Sensitive.SECRET, rf".*{_SHOWN}", r".*\d.*"),
    (Sensitive.SECRET, "token", r"(?=.*\d)(?=.*[a-z])\S{16,}"),
    (
        Sensitive.PHONE,
        rf"(?:.*[-_ ])?{_PHONE_NAME}|.*phone(?:[-_ ]?number)?",
        r"(?:\D*\d){7,15}\D*",
    ),
)

_TOKENS = (
    r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # Amazon
    r"(?:gh[oprsu]|github_pat)_\w{20,}",
    r"gl(?:agent|cbt|dt|ft|imt|oas|pat|ptt|rt|soat)-[\w-]{20,}|GR1348941[\w-]{20,}",  # GitLab
    r"(?:xox[a-z]|xapp)-[\w-]{10,}",  # Slack
    r"https://hooks\.slack\.com/services/[\w/]+",
    rf"sk-{_DIGIT_LATER}[\w-]{{20,}}",  # OpenAI, Anthropic and others
    r"[prs]k_(?:live|test)_\w{16,}",  # Stripe
    r"whsec_[\w+/=]{20,}",
    r"AIza[\w-]{35}",  # Google
    r"ya29\.[\w-]{20,}",
    r"GOCSPX-[\w-]{20,}",
    r"(?:hf|npm|gsk|r8|ntn|lin_api)_[A-Za-z0-9]{20,}",
    rf"(?:dckr_pat|figd|fm2|fw|glc|glsa|ph[cx]|rnd|rpa|sbp|vercel)_{_DIGIT_LATER}\w{{20,}}",
    rf"(?:lsv2_[ps][kt]|pscale_(?:pw|tkn)|sntr[uy]s|wandb_v1)_{_DIGIT_LATER}\w{{20,}}",
    r"secret_[A-Za-z0-9]{39,}",  # Notion
    rf"(?:pypi|xai|pplx|PMAK)-{_DIGIT_LATER}[\w-]{{32,}}",
    rf"(?:CFPAT|csk|nvapi|sess|tskey-[a-z]+|tvly)-{_DIGIT_LATER}[\w-]{{20,}}",
    r"pk-lf-[0-9a-f-]{36}|key-[0-9a-f]{32}",  # Langfuse, Mailgun
    r"ATATT3[\w=-]{20,}",  # Atlassian
    r"AGE-SECRET-KEY-1[0-9A-Z]{40,}",
    r"1//0[\w-]{30,}",  # Google's refresh tokens
    r"EAA[A-Za-z0-9]{60,}",  # Meta
    r"dp\.[a-z]{2,5}\.\w{39,}",  # Doppler
    r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"(?:AC|SK)[0-9a-z]{32}",  # Twilio
    r"[0-9a-z]{32}-us\d{1,2}",  # Mailchimp
    r"\d{8,10}:[\w-]{35}(?!\w)",  # Telegram
    r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}",  # Discord
    r"sq0(?:atp|csp)-[\w-]{22,}",  # Square
    r"shp(?:at|ca|pa|ss)_[0-9a-f]{32}",  # Shopify
    r"do[opr]_v1_[0-9a-f]{64}",  # DigitalOcean
    r"dapi[0-9a-f]{32}",  # Databricks
    r"hv[brs]\.[\w-]{20,}",  # Vault
    r"(?<=AccountKey=)[\w+/=]{40,}",  # Azure
    r"AKC[A-Za-z0-9]{10,}",  # Artifactory
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*",  # JSON web tokens
)
_PRIVATE_KEY = r"-{{4,5}} ?{} (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{{4,5}}"

_COUNTRIES = (  # with the length of their IBANs
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 "
    "DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 "
    "HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 "
    "MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 "
    "RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 "
    "VA22 VG24 XK20 YE30"
)
_IBANS = "|".join(
    rf"{one[:2]}\d\d(?:[ -]?[A-Z0-9]){{{int(one[2:]) - 4}}}" for one in _COUNTRIES.split()
)
_ISSUED = re.compile(  # first digits and lengths of Visa, Mastercard, American Express and others
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|(?:6011|64[4-9]\d|65\d\d|62\d\d)\d{12,15}"
    r"|(?:5[0678]|6[37])\d{11,17}"
)
_DASHES = r"\u2010-\u2015-"  # as word processors and web pages have them
_BLANKS = r" .\u00a0\u202f"
_IN_JSON = r"|\\u(?:00a0|201[0-5]|202f)|\\t"  # the same in a piece of JSON
_GAP = rf"(?:[/\t_{_BLANKS}{_DASHES}]{_IN_JSON}){{1,2}}"
_CARD = (
    rf"\d{{13,19}}|\d{{4}}(?P<gap>{_GAP})\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{1,7}}"
    rf"|\d{{4}}(?P<space>{_GAP})\d{{6}}(?P=space)\d{{4,5}}|\d{{8}}{_GAP}\d{{8}}"
)
_BETWEEN = rf"(?:[/(){_BLANKS}{_DASHES}]{_IN_JSON}){{0,2}}"
_NO_DECIMAL = r"(?!\d+\.\d+(?![\d.-]| \d))"  # such as a coordinate
_LINE = rf"(?:[ {_DASHES}]{_IN_JSON})"
_LOCAL = rf"(?:\d{{5,8}}|\d{{3,4}}(?:{_LINE}\d{{3,4}}){{1,2}})"
_NORTH_AMERICA = rf"(?:\([2-9]\d\d\) ?|[2-9]\d\d(?:\.|{_LINE}))[2-9]\d\d(?:\.|{_LINE})\d{{4}}"
_PHONE = "|".join(
    (
        rf"(?:\+|%2B){_NO_DECIMAL}(?:1(?:{_BETWEEN}\d){{10}}|[1-9](?:{_BETWEEN}\d){{7,14}})",
        rf"00[1-9](?=\d*\D)(?:{_BETWEEN}\d){{8,13}}",
        rf"(?:1(?:\.|{_LINE}))?{_NORTH_AMERICA}",
        r"\([1-9]\d\) ?9?\d{4}-\d{4}",  # Brazil
        rf"(?!0\d/\d{{4}}\b)(?:\(0\d{{1,4}}\)|0\d{{1,4}})(?:/|{_LINE}){{1,3}}{_LOCAL}",
        r"0\d(?:[ .-]\d\d){4}",
    )
)


def digits(text: str) -> str:
    """Return the digits of a text."""
    return re.sub(r"\\u[0-9a-f]{4}|\D", "", text)


def is_card(text: str) -> bool:
    """Return whether a number is that of a payment card, by its issuer, length and last digit."""
    number = digits(text)
    places = [int(one) for one in reversed(number)]
    twice = [sum(divmod(2 * one, 10)) for one in places[1::2]]
    return bool(_ISSUED.fullmatch(number)) and (sum(places[::2]) + sum(twice)) % 10 == 0


def _is_iban(text: str) -> bool:
    whole = re.sub("[ -]", "", text).upper()
    return int("".join(str(int(one, 36)) for one in whole[4:] + whole[:4])) % 97 == 1


def _is_phone(text: str) -> bool:
    return 8 <= len(digits(text.replace("%2B", ""))) <= 15


def _rule(
    kind: Sensitive, pattern: str, holds: Callable[[str], bool] = bool, flags: int = 0
) -> Rule:
    return Rule(kind, re.compile(pattern, flags), holds)


RULES = (
    _rule(
        Sensitive.PRIVATE_KEY,
        rf"(?P<it>{_PRIVATE_KEY.format('BEGIN')}(?:(?:(?!----[- ]BEGIN)[\s\S])*?"
        rf"{_PRIVATE_KEY.format('END')}|[\w+/=\s\\]*))",
    ),
    _rule(Sensitive.LOGIN, r":(?://|\\/\\/)(?P<it>[^\s/:@\"'<>\\]*:[^\s/\"'<>\\]+)@"),
    _rule(Sensitive.SECRET, rf"{_AFTER}(?P<it>{'|'.join(_TOKENS)})"),
    _rule(
        Sensitive.EMAIL,
        rf"(?:(?<![\w.+%\\-])|{_ESCAPED})(?P<it>[\w.+%-]+(?:@|%40)(?:[\w-]+\.)+[^\W\d_]{{2,}})",
    ),
    _rule(
        Sensitive.IBAN,
        rf"{_AFTER}(?=[A-Z]{{2}}\d\d)(?P<it>{_IBANS})(?![A-Z0-9])",
        _is_iban,
        re.IGNORECASE,
    ),
    _rule(Sensitive.CARD, rf"{_AFTER}(?<!\d[.-])(?P<it>{_CARD})(?!\.?\d)", is_card),
    _rule(
        Sensitive.PHONE,
        rf"(?:(?<![\w.,/+)\]-])|{_ESCAPED})(?P<it>{_PHONE})(?![\w]|[.,-]\d)",
        _is_phone,
        re.IGNORECASE,
    ),
)
"""In the order in which they are tried."""
NAMED_RULES = (
    _rule(
        Sensitive.SECRET,
        rf"(?:{_HIDDEN}|{_SHOWN})[\"'\]]{{0,2}}\s*(?::=|=>|::?|=|\bis\b)\s*[\"']?"
        r"(?:(?:bearer|basic|token)\s+)?"
        rf"(?P<it>{_DIGIT_LATER}[^\s\"'<>,;&\\]{{5,}}[^\s\"'<>,;&\\.!?)]|[A-Za-z_+/=-]{{20,}})",
        flags=re.IGNORECASE,
    ),
    _rule(
        Sensitive.SECRET,
        r"\b(?:bearer|basic)\s+(?P<it>(?=[\w.~+/-]{0,99}\d)[\w.~+/-]{16,}=*)",
        flags=re.IGNORECASE,
    ),
    _rule(
        Sensitive.SECRET,
        r"\b(?i:[\w-]*token|sig|[\w-]*signature)[\"'\]]{0,2}\s*(?:=>|[:= ])\s*[\"']?"
        r"(?P<it>(?=[\w%+/=.~-]{0,99}\d)(?=[\w%+/=.~-]{0,99}[a-z])[\w%+/=.~-]{20,})",
    ),
    _rule(
        Sensitive.SECRET,
        rf"--?{_HIDDEN}\s+[\"']?(?P<it>{_DIGIT_LATER}[^\s\"'<>\\]{{6,}})",
        flags=re.IGNORECASE,
    ),
    _rule(
        Sensitive.LOGIN,
        r"\bcurl\b[^\n]{0,200}?\s(?:-u|--user)\s*[\"']?(?P<it>[^\s\"':\\]+:[^\s\"'\\]+)",
    ),
    _rule(
        Sensitive.PHONE,
        rf"\b{_PHONE_NAME}\b[\"']?(?: is)?[ :=#]{{1,3}}[\"']?(?P<it>\d{{7,15}})(?!\w)",
        flags=re.IGNORECASE,
    ),
)
"""What is known by the word before it, and then wherever it stands."""


def named(key: str, value: str) -> Sensitive | None:
    """Return the kind of a value of which its key tells it; None: the key tells nothing.

    Args:
        key: Such as `password` or `phone_number`.
        value: The value as text.
    """
    for kind, keys, values in _NAMED:
        if re.fullmatch(keys, key, re.IGNORECASE) and re.fullmatch(values, value, _ANY):
            return kind
    return None


def same(kind: Sensitive, value: str) -> str:
    """Return what two spellings of one value have in common.

    Args:
        kind: Its kind.
        value: As it is written.
    """
    match kind:
        case Sensitive.EMAIL:
            return unquote(value).casefold()
        case Sensitive.IBAN:
            return re.sub("[ -]", "", value).upper()
        case Sensitive.CARD:
            return digits(value)
        case Sensitive.PHONE:
            return digits(value.replace("%2B", "")).lstrip("0")
        case _:
            return value.replace("\\n", "\n")
