"""How far a run of a DAG has come: one line a task, and what remains. Knows what to say, not how to print it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmflow.services.airflow_api import TaskInstance

ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_WORDS = {
    "success": "done",
    "skipped": "nothing to do",
    "upstream_failed": "not started",
    "up_for_retry": "waiting to try again",
    "awaiting_input": "waiting for your approval",
    "scheduled": "waiting",
    "queued": "waiting",
}
#: Seconds that a task takes on 2 cores with the sample corpus, and how many of it there are: a first guess only.
_USUAL: Mapping[str, tuple[float, int]] = {
    "wikipedia": (25, 1),
    "news": (25, 1),
    "social": (25, 1),
    "build_corpus": (45, 1),
    "train_embeddings": (25, 2),
    "build_dataset": (12, 2),
    "train_language_model": (60, 4),
    "evaluate_model": (20, 4),
    "promote_model": (12, 4),
}
_BESIDE_EACH_OTHER = 2


@dataclass(frozen=True)
class RunView:
    """The tasks of a run in the order in which they are worked on.

    Args:
        stages: names of the task groups, upstream first.
        instances: every task instance, upstream first.
    """

    stages: tuple[str, ...]
    instances: tuple[TaskInstance, ...]

    @classmethod
    def of(cls, tasks: Sequence[Mapping[str, Any]], instances: Sequence[TaskInstance]) -> RunView:
        """Order instances as the DAG has its tasks (upstream first)."""
        place = {task["task_id"]: number for number, task in enumerate(tasks)}
        ordered = sorted(instances, key=lambda each: (place.get(each.task_id, len(place)), each.map_index))
        return cls(tuple(dict.fromkeys(_stage(task["task_id"]) for task in tasks)), tuple(ordered))

    def shown(self) -> list[TaskInstance]:
        """The tasks worth a line: of a group within a stage, such as a search, only what has been worked on."""
        return [each for each in self.instances if each.task_id.count(".") < 2 or each.elapsed_s > 0]

    def failed(self) -> list[TaskInstance]:
        """Tasks that failed for good."""
        return [each for each in self.instances if each.state == "failed"]

    def ended(self) -> int:
        """How many tasks have come to an end."""
        return sum(each.state in ENDED for each in self.instances)

    def headline(self) -> str:
        """Which stage is worked on, how many tasks have ended, and about how long the rest takes."""
        if self.ended() == len(self.instances):
            return f"all {len(self.instances)} tasks have ended"
        still = [each for each in self.instances if each.state not in ENDED]
        stage = _stage(next((each for each in still if each.state == "running"), still[0]).task_id)
        number = self.stages.index(stage) + 1
        left = self.seconds_left()
        about = f"about {left / 60:.0f} min left" if left >= 90 else f"about {max(5, round(left / 5) * 5)} s left"
        return f"stage {number} of {len(self.stages)}: {stage}, {self.ended()} of {len(self.instances)} tasks, {about}"

    def seconds_left(self) -> float:
        """A guess: usual durations, corrected by how fast this run has been so far."""
        usual_of_ended = sum(_usual(each)[0] for each in self.instances if each.state in ENDED)
        ended = sum(each.elapsed_s for each in self.instances if each.state in ENDED)
        pace = min(4.0, max(0.1, (ended + 30) / (usual_of_ended + 30)))
        left: defaultdict[str, float] = defaultdict(float)
        for each in self.instances:
            seconds, number = _usual(each)
            if each.state not in ENDED:
                left[each.task_id] += max(0.0, seconds * pace - each.elapsed_s) * (number if each.map_index < 0 else 1)
        alone = sum(seconds for task, seconds in left.items() if "train_" in task)
        return alone + (sum(left.values()) - alone) / _BESIDE_EACH_OTHER

    def stage_seconds(self) -> dict[str, float]:
        """Wall-clock seconds from the first start to the last end of every stage that ran."""
        found: dict[str, float] = {}
        for stage in self.stages:
            spans = [each for each in self.instances if _stage(each.task_id) == stage and each.started and each.ended]
            if spans:
                begin = min(each.started for each in spans if each.started)
                found[stage] = (max(each.ended for each in spans if each.ended) - begin).total_seconds()
        return found


def words_for(state: str) -> str:
    """A task's state as a person would say it."""
    return _WORDS.get(state, state.replace("_", " "))


def _stage(task_id: str) -> str:
    return task_id.partition(".")[0]


def _usual(instance: TaskInstance) -> tuple[float, int]:
    return _USUAL.get(instance.task_id.rpartition(".")[2], (1.0, 1))
