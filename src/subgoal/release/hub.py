"""Uploading folders to the Hugging Face hub, as models or as data sets."""

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage]
)
from huggingface_hub.utils import validate_repo_id

from subgoal.connections.secret import Secrets, sendable
from subgoal.errors import ConfigInvalid, ExportFailed, said_by


class RepoKind(StrEnum):
    """What a repository of the hub holds."""

    MODEL = "model"
    """An agent."""
    DATASET = "dataset"
    """What it was trained on, and how it played."""


def check_repository(name: str) -> None:
    """Check the name of a repository.

    Raises:
        ConfigInvalid: It cannot be one.
    """
    try:
        validate_repo_id(name)
        if name.count("/") != 1:
            raise HFValidationError(name)
    except HFValidationError as error:
        raise ConfigInvalid(
            f"--to {name} is no repository of the hub; give it as OWNER/NAME"
        ) from error


def make_repository(kind: RepoKind, repository: str, private: bool, api: HfApi) -> str:
    """Make a repository where it is not there yet.

    Args:
        kind: What it holds.
        repository: `OWNER/NAME`.
        private: Whether its owner alone can see it.
        api: The hub, with the token that it is to use; by default the one of the environment, or
            of the hub's own login.

    Returns:
        Its address.

    Raises:
        ConfigInvalid: The token cannot be sent.
        ExportFailed: The hub cannot be reached, or refuses; or everybody can see what is there and
            is to be private.
    """
    with _told(repository, api):
        made = api.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        seen = private and api.repo_info(made.repo_id, repo_type=kind).private is False
    if seen:
        raise ExportFailed(
            f"{made} is there already, and everybody can see it; give --no-private where that is "
            "meant, or another --to"
        )
    return str(made)


def upload(folder: Path, kind: RepoKind, repository: str, api: HfApi) -> None:
    """Upload a folder into a repository, in one commit: all of it is there then, or nothing.

    Args:
        folder: What to upload.
        kind: What it is.
        repository: `OWNER/NAME`, which `make_repository` made.
        api: The hub, as there.

    Raises:
        ConfigInvalid: The token cannot be sent.
        ExportFailed: The hub cannot be reached, or refuses.
    """
    with _told(repository, api):
        api.upload_folder(
            repo_id=repository, repo_type=kind, folder_path=folder, commit_message="From subgoal"
        )


@contextmanager
def _told(repository: str, api: HfApi) -> Generator[None]:
    """Make one sentence of what goes wrong, without the token, whatever a server says."""
    tokens = [one for one in (api.token, get_token()) if isinstance(one, str)]
    for one in tokens:
        sendable(one, "the token of the hub (HF_TOKEN)")
    try:
        yield
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        large = isinstance(error, RuntimeError) and error.__cause__ is not None
        cause = (error.__cause__ if large else None) or error  # of a file that LFS takes
        raise ExportFailed(
            f"{repository} was not uploaded to {api.endpoint} "
            f"({Secrets(tokens).shown(said_by(cause))}); {_remedy(cause)}"
        ) from None  # the error itself may repeat the token


def _remedy(cause: BaseException) -> str:
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if isinstance(cause, PermissionError) or (
        isinstance(cause, HfHubHTTPError) and status in {401, 403}
    ):
        return "set HF_TOKEN to a token that may write there"
    if isinstance(cause, HTTPError):
        return "try again"
    return "try again; where the hub has no Xet store, with HF_HUB_DISABLE_XET=1"
