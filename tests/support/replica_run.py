"""Many builds by the replicas of a Deployment, which is restarted and scaled meanwhile: what became of each build."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.support.deployment import Deployment, PodDiary

ENDED = frozenset({"CLOSED", "FAILED", "CANCELED"})
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Report:
    """What was seen. Tasks are those that were asked for."""

    states: Mapping[int, str]
    """At the end, by task."""
    pods: Mapping[int, Sequence[str]]
    """Roles of the pods of each task that had some, children of those asked for too."""
    replicas: frozenset[str]
    """Names of all pods of the Deployment that were seen."""
    unseen: int
    """Looks at the pods that failed."""
    seconds: float

    @property
    def counts(self) -> Counter[str]:
        """Tasks by state."""
        return Counter(self.states.values())

    @property
    def twice(self) -> dict[int, Sequence[str]]:
        """Tasks that had two pods for one purpose."""
        return {task: roles for task, roles in self.pods.items() if len(set(roles)) < len(roles)}


@dataclass
class _Watched:
    """The tasks under way."""

    deployment: Deployment
    tasks: Sequence[int]
    state: Callable[[int], str]
    deadline: float
    replicas: set[str]
    say: Callable[[str], None]

    def ended(self) -> int:
        """How many tasks have ended."""
        return sum(self.state(task) in ENDED for task in self.tasks)

    def until_ended(self, wanted: int) -> None:
        """Wait until so many tasks have ended."""
        self.until(lambda: self.ended() >= wanted, f"the end of {wanted} tasks")
        self.say(f"{self.ended()} of {len(self.tasks)} tasks have ended")

    def until_replicas(self, wanted: int) -> None:
        """Wait until the Deployment has so many pods."""
        self.until(lambda: len(self.deployment.replicas()) == wanted, f"{wanted} replicas")

    def until(self, reached: Callable[[], bool], what: str) -> None:
        while not reached():
            if time.monotonic() > self.deadline:
                message = f"{what} did not come; {self.ended()} of {len(self.tasks)} tasks have ended\n"
                raise TimeoutError(message + self.deployment.logs())
            # An API server that is away for a while ends no build, so it must not end this.
            with contextlib.suppress(RuntimeError):
                self.replicas.update(self.deployment.replicas())
            time.sleep(POLL_SECONDS)


def run(
    deployment: Deployment,
    tasks: Sequence[int],
    state: Callable[[int], str],
    replicas: int,
    timeout: float,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Restart the Deployment after a third of the tasks, scale it to 1 and back after two, and wait for all of them.

    Raises:
        TimeoutError: something did not come in time; with the replicas' logs.
    """
    began = time.monotonic()
    with PodDiary(deployment.pods) as diary:
        watched = _Watched(deployment, tasks, state, began + timeout, set(), say)
        watched.until_ended(len(tasks) // 3)
        say("restart")
        deployment.restart()
        deployment.settled(timeout)
        say(f"restarted: {', '.join(deployment.replicas())}")
        watched.until_ended(2 * len(tasks) // 3)
        say("to 1 replica")
        deployment.scale(1)
        watched.until_replicas(1)
        say("back")
        deployment.scale(replicas)
        deployment.settled(timeout)
        watched.until_ended(len(tasks))
    return Report(
        states={task: state(task) for task in tasks},
        pods={task: diary.of(task) for task in diary.pods},
        replicas=frozenset(watched.replicas),
        unseen=diary.failures,
        seconds=time.monotonic() - began,
    )
