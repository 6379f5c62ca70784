"""One trial of a search: a training that pauses at a rung, and what it measured there, kept with its MLflow run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jobs.command import Progress, Result
from jobs.network_training import EXPERIMENT, Work, batches_for, preset_name, run_of, train_network
from lmflow import tracking
from lmflow.errors import InputError
from lmflow.evaluation.compression import bits_per_byte, perplexity
from lmflow.evaluation.scores import document_nats
from lmflow.training.loop import TrainingDiverged
from lmflow.training.memory import SMALLER_NETWORK, OutOfMemory, fitting
from lmflow.training.schedule import steps

SCORE: Final = "valid_bits_per_byte"
_LOST: Final = "lost"


@dataclass(frozen=True)
class Measured:
    """What is known of a trial.

    Attributes:
        scores: bits per byte on the validation split, by the step after which they were measured.
        lost: why it cannot be trained; empty where it can.
        run_id: its newest MLflow run; empty when it has none.
    """

    scores: dict[int, float]
    lost: str = ""
    run_id: str = ""

    def at(self, step: int) -> float | None:
        """Its score after a step, or the first after that where it was trained on without a pause there."""
        later = [each for each in self.scores if each >= step]
        return self.scores[min(later)] if later else None


def measured(key: str) -> Measured:
    """All that runs of the training `key` have measured."""
    found = tracking.runs(EXPERIMENT, {"input_digest": key})
    scores = {step: value for run in found for step, value in run.history(SCORE) if step > 0}
    lost = next((text for run in found if (text := run.tags().get(_LOST))), "")
    return Measured(scores, lost, found[0].run_id if found else "")


def run(work: Work, pause_after: float, progress: Progress) -> Result:
    """Train to the rung, `pause_after` passes over the text, and measure; at once when that has been done.

    A loss that is no number, or a step that does not fit into memory, is a result too: the trial is lost.

    Raises:
        InputError: the options do not fit the text or the machine.
    """
    options, dataset = work.options, work.dataset
    try:
        step = steps(pause_after, batches_for(options, dataset).per_epoch)
        known = measured(work.key)
        if known.lost or known.at(step) is not None:
            reason = f"lost: {known.lost}" if known.lost else f"measured after step {step} before"
            return {"status": "nothing_new", "reason": reason, **_facts(known, step)}
        with run_of(work) as opened:
            title = f"{preset_name(options)} {options.lang}"
            try:
                with progress.bar(None, title, "steps") as bar:
                    model, metrics = train_network(work, opened, bar, step)
                with fitting("scoring", SMALLER_NETWORK):
                    nats = document_nats(model, dataset, "valid")
            except (TrainingDiverged, OutOfMemory) as error:
                progress.say(f"lost: {error}")
                opened.set_tags({_LOST: str(error)[:5000]})
                return _facts(Measured({}, str(error), opened.run_id), step)
            valid = dataset.split("valid")
            score = bits_per_byte(nats, valid.n_bytes).value
            metrics |= {"valid_perplexity": perplexity(nats, len(valid.tokens)), SCORE: score}
            # Its checkpoint may have been further already; where it stopped early, it stays as it is.
            step = max(step, int(metrics["steps"]))
            opened.log_metrics(metrics, step)
    except ValueError as error:
        raise InputError(str(error)) from None
    return {**_facts(Measured({step: score}, "", opened.run_id), step), "metrics": metrics}


def _facts(known: Measured, step: int) -> Result:
    found = known.at(step)
    score = {} if found is None else {SCORE: found}
    lost = {_LOST: known.lost} if known.lost else {}
    return {
        "step": step,
        "metrics": score,
        **lost,
        "run_id": known.run_id,
        "run_url": tracking.run_url(known.run_id),
    }
