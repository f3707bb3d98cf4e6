"""How a server bears many clients: times and throughput beside one client's, answers, memory.

    python research/benchmarks/serve.py --agent scienceworld --clients 64 --seconds 120

Starts `subgoal serve` in a process of its own. Each client plays conversations over loopback, its
history growing by the agent's own turns; what comes back are texts from a small set, by the number
of the turn. Every answer is compared with that of a session in this process. One client goes
first, for a quarter of the time, and its throughput is the other's measure. Memory is that of the
server's process, some times over the whole: it grows until as many conversations are kept as may
be (`--cache-mb`).
"""

import argparse
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from subgoal.environments.registry import LOG
from subgoal.evaluation.player import Player
from subgoal.serving.agents import open_agent

OPENINGS, TURNS, LOOKS = 32, 8, 6


class Played(NamedTuple):
    """What clients saw.

    Attributes:
        seconds: Time of each answer.
        wrong: Answers that were another than the session's, or none.
        lasted: Time of all.
    """

    seconds: list[float]
    wrong: int
    lasted: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.seconds) / self.lasted

    def row(self, name: str) -> str:
        """Return it in one line."""
        ordered = sorted(self.seconds)
        at = [ordered[min(len(ordered) - 1, int(len(ordered) * p))] for p in (0.5, 0.9, 0.99)]
        times = "  ".join(
            f"p{p} {1000 * one:.0f} ms" for p, one in zip((50, 90, 99), at, strict=True)
        )
        return (
            f"{name}: {len(ordered):,} answers, {self.rate:.1f} per second, {times}, "
            f"{self.wrong} wrong"
        )


def told(opening: int) -> list[str]:
    """Return what a conversation is told: at first, and after each turn."""
    first = f"This room is called the hallway. You also see: box {opening}, a door."
    return [
        first,
        *(f"You see nothing special ({opening * number % 7})." for number in range(1, TURNS)),
    ]


def expected(player: Player, task: str) -> list[list[str]]:
    """Return the turns of a session in this process, for each opening."""
    found = []
    for opening in range(OPENINGS):
        with player.session(task) as session:
            found.append([session.act(text).action for text in told(opening)])
    return found


def play(url: str, task: str, right: list[list[str]], first: int, until: float) -> Played:
    seconds, wrong, opening = list[float](), 0, first
    began = time.perf_counter()
    with httpx.Client(timeout=120) as client:
        while time.perf_counter() < until:
            messages: list[dict[str, Any]] = [{"role": "system", "content": task}]
            for text, same in zip(told(opening), right[opening], strict=True):
                messages.append({"role": "user", "content": text})
                asked = time.perf_counter()
                said = client.post(f"{url}/v1/chat/completions", json={"messages": messages})
                seconds.append(time.perf_counter() - asked)
                answer = (
                    said.json()["choices"][0]["message"]["content"] if said.is_success else None
                )
                wrong += answer != same
                messages.append({"role": "assistant", "content": answer})
                if time.perf_counter() >= until:
                    break
            opening = (opening + 1) % OPENINGS
    return Played(seconds, wrong, time.perf_counter() - began)


def crowd(url: str, task: str, right: list[list[str]], clients: int, lasting: float) -> Played:
    found, until = list[Played](), time.perf_counter() + lasting

    def one(number: int) -> None:
        found.append(play(url, task, right, number % OPENINGS, until))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Played(
        [second for one in found for second in one.seconds],
        sum(one.wrong for one in found),
        max(one.lasted for one in found),
    )


def resident(process: int) -> float:
    """Return the memory of a process in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def watched(process: int, lasting: float, found: list[float]) -> None:
    """Note the memory of a process a few times."""
    for _ in range(LOOKS):
        time.sleep(lasting / (LOOKS + 1))
        found.append(resident(process))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", default="scienceworld")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--cache-mb", type=int, default=1024)
    given = parser.parse_args()
    with open_agent(given.agent) as player:
        log = player.agent.card.environment.startswith(LOG)
        task = "" if log else "Your task is to find a(n) living thing."
        right = expected(player, task)
    words = [sys.executable, "-m", "subgoal", "serve", "--agent", given.agent, "--port", "0"]
    words += ["--cache-mb", str(given.cache_mb)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            one = crowd(url, task, right, 1, given.seconds / 4)
            print(one.row("one client"), flush=True)
            memory = list[float]()
            watch = threading.Thread(target=watched, args=(server.pid, given.seconds, memory))
            watch.start()
            many = crowd(url, task, right, given.clients, given.seconds)
            watch.join()
        finally:
            server.terminate()
    print(many.row(f"{given.clients} clients"))
    ratio = many.rate / one.rate if one.seconds else math.nan
    print(f"throughput of {given.clients} clients to one: {ratio:.2f}")
    print("memory, evenly over the time:", ", ".join(f"{one:.0f}" for one in memory), "MB")
    print(json.dumps({"ratio": round(ratio, 3), "wrong": one.wrong + many.wrong}))


if __name__ == "__main__":
    main()
