"""Uploading a student's folder to the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage]
)
from huggingface_hub.utils import validate_repo_id

from subgoal.errors import ConfigInvalid, ExportFailed, said_by


def check_repository(name: str) -> None:
    """Check the name of a repository.

    Raises:
        ConfigInvalid: It cannot be one.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ConfigInvalid(
            f"--out {name} is no repository of the hub; give it as OWNER/NAME"
        ) from error


def upload(folder: Path, repository: str, private: bool, api: HfApi) -> str:
    """Upload a folder as a model, in one commit.

    Args:
        folder: What to upload.
        repository: `OWNER/NAME`; made where it is not there.
        private: Whether a repository that is made can be seen by its owner alone.
        api: The hub, with the token that it is to use; by default the one of the environment.

    Returns:
        The address of the repository.

    Raises:
        ExportFailed: The hub cannot be reached, or refuses.
    """
    try:
        made = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=made.repo_id, folder_path=folder, commit_message="A student of subgoal"
        )
    except (HTTPError, OSError) as error:
        reason = said_by(error)
        status = getattr(getattr(error, "response", None), "status_code", None)
        unknown = isinstance(error, HfHubHTTPError) and status in {401, 403}
        remedy = "set HF_TOKEN to a token that may write there" if unknown else "try again"
        raise ExportFailed(
            f"{repository} was not uploaded to {api.endpoint} ({reason}); {remedy}"
        ) from error
    return str(made)
