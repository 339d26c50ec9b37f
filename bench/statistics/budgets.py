"""Score against budget: what each method had reached at every evaluation, and how far the order was the last one's.

Nothing is trained for it: a trial of 3,000 steps was, at step 600, a trial of 600 steps (`bench.statistics.stages`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from bench.config.workload import Workload
from bench.statistics.blocks import block_intervals
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.damage import needed
from bench.statistics.estimates import RANKED_SEEDS
from bench.statistics.intervals import Array
from bench.statistics.scores import is_result, score
from bench.statistics.stages import at_step, steps_of
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class ScoreByBudget:
    """The scores of the methods of one table on one workload, at every budget that all of its runs tell of."""

    workload: str
    steps: tuple[int, ...]
    """The budgets in generator updates; the last one is the table's."""
    rows: tuple[LeaderboardRow, ...]
    """The methods, in the order of the table."""
    seeds: tuple[int, ...]
    runs: Array
    """`[methods, seeds, budgets]`: the score of each run; one that has failed by then has 0."""
    scores: Array
    """`[methods, budgets]`: their means over seeds."""
    low: Array | None
    high: Array | None
    """The 95 % intervals of the means; none of so few seeds that nothing is ranked, whose intervals hide the lines."""

    @property
    def leaders(self) -> tuple[LeaderboardRow | None, ...]:
        """The method with the highest score at each budget; none where several have it, as before any has learned."""
        alone = (self.scores == self.scores.max(axis=0)).sum(axis=0) == 1
        return tuple(
            self.rows[int(index)] if single else None
            for index, single in zip(self.scores.argmax(axis=0), alone, strict=True)
        )

    @property
    def leads(self) -> tuple[tuple[LeaderboardRow, int, int], ...]:
        """Each leader with the first and the last of the budgets in a row at which it leads."""
        spans = []
        for _, group in groupby(
            zip(self.leaders, self.steps, strict=True), key=lambda lead: lead[0].method_key if lead[0] else None
        ):
            leads = list(group)
            if (leader := leads[0][0]) is not None:
                spans.append((leader, leads[0][1], leads[-1][1]))
        return tuple(spans)

    @property
    def half(self) -> int:
        """The place in `steps` of the budget that is nearest to half of the last one; of two the shorter."""
        return min(range(len(self.steps) - 1), key=lambda index: (abs(2 * self.steps[index] - self.steps[-1]), index))

    @property
    def agreement(self) -> tuple[float, ...]:
        """Kendall's tau-b of the order at each budget and at the last one: 1 is the same order, 0 is no relation.

        It is nan where all methods have the same score, as before any has learned.
        """
        from scipy.stats import kendalltau

        last = self.scores[:, -1]
        return tuple(float(kendalltau(column, last).statistic) for column in self.scores.T)


def scores_by_budget(
    board: Leaderboard, records: Sequence[Record], workloads: Mapping[str, Workload]
) -> list[ScoreByBudget]:
    """Return the scores against budget of a table's workloads, those of which there is more than one budget.

    Args:
        board: the table; its methods with a score and its counting seeds are looked at.
        records: the table's records, with their evaluations.
        workloads: by name, all that they ran on.
    """
    rows = board.scored
    curves = []
    for column in board.workloads:
        if column.unscored or not column.seeds or len(rows) < 2:
            continue
        workload = workloads[column.name]
        cells = {
            (record.spec.method, record.spec.seed): record
            for record in records
            if record.spec.workload == column.name and is_result(record) and not record.spec.allow_invalid
        }
        runs = [[cells[row.expression, seed] for seed in column.seeds] for row in rows]
        budgets = steps_of(run for of_method in runs for run in of_method)
        # [budgets][methods][seeds]
        stages = [[[at_step(run, workload, step) for run in own] for own in runs] for step in budgets]
        told = [all(_tells(stage, workload) for own in of_step for stage in own) for of_step in stages]
        steps = tuple(step for step, known in zip(budgets, told, strict=True) if known)
        if len(steps) < 2:
            continue
        scores = np.array(
            [
                [[score(stage, workload) for stage in own if stage is not None] for own in of_step]
                for of_step, known in zip(stages, told, strict=True)
                if known
            ]
        )
        intervals = [block_intervals([block]) for block in scores] if len(column.seeds) >= RANKED_SEEDS else []
        curves.append(
            ScoreByBudget(
                workload=column.name,
                steps=steps,
                rows=rows,
                seeds=column.seeds,
                runs=scores.transpose(1, 2, 0),
                scores=scores.mean(axis=2).T,
                low=np.array([low for low, _ in intervals]).T if intervals else None,
                high=np.array([high for _, high in intervals]).T if intervals else None,
            )
        )
    return curves


def _tells(stage: Record | None, workload: Workload) -> bool:
    """Say whether a run has at a budget all that its score reads, or has failed before."""
    if stage is None:
        return False
    # The divergence of an empty histogram does not exist.
    return stage.status != "ok" or all(name in stage.metrics for name in needed(workload, stage.protocol_version))
