"""Uploading a folder to the Hugging Face hub, as a model or as a data set."""

from enum import StrEnum
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage]
)
from huggingface_hub.utils import validate_repo_id

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


def upload(folder: Path, kind: RepoKind, repository: str, private: bool, api: HfApi) -> str:
    """Upload a folder, in one commit.

    Args:
        folder: What to upload.
        kind: What it is.
        repository: `OWNER/NAME`; made where it is not there.
        private: Whether a repository that is made can be seen by its owner alone.
        api: The hub, with the token that it is to use; by default the one of the environment, or
            of the hub's own login.

    Returns:
        The address of the repository.

    Raises:
        ExportFailed: The hub cannot be reached, or refuses.
    """
    try:
        made = api.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=made.repo_id, repo_type=kind, folder_path=folder, commit_message="From subgoal"
        )
    except (HTTPError, OSError, RuntimeError) as error:  # the last of a large file
        cause = (error.__cause__ if isinstance(error, RuntimeError) else None) or error
        status = getattr(getattr(cause, "response", None), "status_code", None)
        unknown = isinstance(cause, HfHubHTTPError) and status in {401, 403}
        remedy = "set HF_TOKEN to a token that may write there" if unknown else "try again"
        raise ExportFailed(
            f"{repository} was not uploaded to {api.endpoint} ({said_by(cause)}); {remedy}"
        ) from error
    return str(made)
