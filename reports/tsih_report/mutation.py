"""The mutation score: what `tsih mutants` wrote into its run folder, in numbers."""

from dataclasses import dataclass

from .runs import Run


@dataclass
class Mutation:
    """Of the latest run of the mutants. Clauses are those that some case judges."""

    run: Run
    killed: int
    survived: list[dict]  # lines of mutants.jsonl; with an excuse when one is known
    not_applicable: int
    broken: int
    unbroken: list[dict]
    by_rules: list[dict]  # judge_clause and rules: the judge's tests break them, no mutant does

    @property
    def tried(self) -> int:
        return self.killed + len(self.survived)

    @property
    def clauses(self) -> int:
        return self.broken + len(self.unbroken)

    @property
    def percent(self) -> float:
        return 100.0 * self.killed / self.tried if self.tried else 0.0

    @property
    def words(self) -> str:
        return (f"{self.killed} of {self.tried} mutants killed ({self.percent:.1f} %);"
                f" {self.broken} of the {self.clauses} clauses that cases judge were broken and noticed")


def latest(runs: list[Run]) -> Mutation | None:
    """None when no run folder holds mutants. `runs` are in the order of their start."""
    for run in reversed(runs):
        if run.mutants:
            tried = [m for m in run.mutants if "mutant" in m]
            clauses = [m for m in run.mutants if "clause" in m]
            return Mutation(run, sum(m.get("fate") == "killed" for m in tried),
                            [m for m in tried if m.get("fate") == "survived"],
                            sum(m.get("fate") == "not_applicable" for m in tried),
                            sum(bool(c.get("broken")) for c in clauses),
                            [c for c in clauses if not c.get("broken")],
                            [m for m in run.mutants if "judge_clause" in m])
    return None
