"""The pytest plugin: fixtures for scenarios, and the run folder that they leave behind.

    def test_grow(story, target, initiator):
        \"\"\"One line that says what is shown.\"\"\"

runs once for each system under test (mark `systems` narrows them). Guests boot when they are first
needed and are used again by the next scenario; each scenario has a fresh target configuration.
"""

from __future__ import annotations

import itertools
import pathlib
import shutil
import time
from typing import Callable, Iterator

import pytest

from tsih import names, paths
from tsih.errors import TsihError
from tsih.initiator import Initiator
from tsih.judging import write_rules
from tsih.lab import Lab
from tsih.progress import Progress
from tsih.recording import ScenarioRecorder
from tsih.runfolder import RunFolder, source_version
from tsih.story import Story
from tsih.targets import INITIATORS, SYSTEMS, Target

# A scenario of the long tier may take so much more than its minutes: its last seed, the guests' boot.
LONG_GRACE_S = 1800
STATE = pytest.StashKey["RunState"]()
REPORTS = pytest.StashKey[dict[str, pytest.TestReport]]()


class RunState:
    """What one pytest session shares."""

    def __init__(self, config: pytest.Config):
        self.config = config
        self.progress = Progress()
        self.run: RunFolder | None = None
        self.lab: Lab | None = None
        self.kept_because = ""

    def run_folder(self) -> RunFolder:
        if self.run is None:
            command = self.config.getoption("tsih_command") or "tsih run --all"
            what = {"what": "scenarios", "title": "scenarios in guests", "command": command}
            out = self.config.getoption("tsih_out")
            self.run = (RunFolder(pathlib.Path(out), **what) if out
                        else RunFolder.create(paths.runs(), **what))
            self.run.add_versions({"tsih": source_version(paths.ROOT)})
            write_rules(self.run)
        return self.run


# -- options, selection ---------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tsih", "scenarios in guests")
    group.addoption("--system", action="append", dest="tsih_systems", choices=sorted([*SYSTEMS, *INITIATORS]),
                    help="only on this system under test (may be repeated)")
    group.addoption("--scenario", action="append", dest="tsih_scenarios", default=[],
                    metavar="GLOB", help="only scenarios of this name, or whose name begins so")
    group.addoption("--out", dest="tsih_out", metavar="DIR",
                    help="the run folder (default: a new one in build/runs)")
    group.addoption("--keep", action="store_true", dest="tsih_keep",
                    help="after a failure stop, and leave the guests up")
    group.addoption("--long", type=float, default=0.0, dest="tsih_long_minutes", metavar="MINUTES",
                    help="scenarios that go by seeds try new ones for so long, each")
    group.addoption("--seed", type=int, default=1, dest="tsih_first_seed", metavar="N",
                    help="the first seed of scenarios that go by seeds")
    group.addoption("--tsih-command", dest="tsih_command", help=_HIDDEN)


_HIDDEN = "the command that is written into run.json"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "systems(*names): the systems under test that a scenario runs on")
    config.addinivalue_line(
        "markers", "control: shows the disaster on a system without the cure; passes when it comes")
    config.stash[STATE] = RunState(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "system" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("systems")
    metafunc.parametrize("system", list(mark.args) if mark else ["tsihd", "lio"])


def name_of(item: pytest.Item) -> tuple[str, str]:
    """(scenario, system) of a collected test."""
    system = item.callspec.params.get("system", "") if hasattr(item, "callspec") else ""
    function = getattr(item, "originalname", item.name)
    return names.scenario_name(item.path.parent.name, function, variant_of(item)), system


def variant_of(item: pytest.Item) -> str:
    """Its parameters' ids but the system, joined by dots. Ids have no `-` of their own."""
    if not hasattr(item, "callspec"):
        return ""
    system = item.callspec.params.get("system", "")
    others = f"-{item.callspec.id}-".replace(f"-{system}-", "-") if system else item.callspec.id
    return ".".join(part for part in others.split("-") if part)


def doc_of(item: pytest.Item) -> str:
    """Its docstring, with `{parameter}` replaced by the parameter's value."""
    text = item.obj.__doc__ or ""
    for name, value in (item.callspec.params.items() if hasattr(item, "callspec") else ()):
        text = text.replace("{" + name + "}", str(value))
    return text


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    patterns = config.getoption("tsih_scenarios")
    systems = config.getoption("tsih_systems") or [*SYSTEMS, *INITIATORS]
    every = [name_of(item) for item in items]
    for pattern in patterns:
        if not any(names.is_chosen(name, [pattern]) for name, _ in every):
            words = {name for name, _ in every} | {name.split(".")[0] for name, _ in every}
            raise pytest.UsageError(f"no scenario is called {pattern!r}"
                                    f"{names.did_you_mean(pattern, sorted(words))}; tsih list")
    chosen, gone = [], []
    for item, (name, system) in zip(items, every):
        good = names.is_chosen(name, patterns) and (system in systems or not system)
        (chosen if good else gone).append(item)
    items[:] = chosen
    long_s = config.getoption("tsih_long_minutes") * 60
    if long_s:
        for item in items:
            item.add_marker(pytest.mark.timeout(long_s + LONG_GRACE_S))
    if gone:
        config.hook.pytest_deselected(items=gone)


# -- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def machines() -> dict[str, dict]:
    """The guests that boot together at the start: names and guest.start's options.

    A folder of scenarios overrides this fixture in its conftest.py.
    """
    return {"target": {}, "one": {}}


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config, machines: dict[str, dict]) -> Iterator[Lab]:
    """The lab with those guests up."""
    state = pytestconfig.stash[STATE]
    run_dir = paths.labs() / state.run_folder().path.name
    try:
        one = Lab(paths.bin_dir() / "tsih-lab", run_dir, state.progress, image=paths.image())
    except TsihError:
        shutil.rmtree(run_dir, ignore_errors=True)
        raise
    state.lab = one
    try:
        state.run_folder().set_accel(one.info.get("accel"))
        one.boot(machines)
        yield one
    finally:
        with state.progress.doing("ending the guests"):
            one.end()
        if not one.kept:
            shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture
def story(request: pytest.FixtureRequest, lab: Lab, machines: dict[str, dict],
          system: str) -> Iterator[Story]:
    """The recorder of this scenario; its folder has everything once the scenario has ended."""
    state = request.config.stash[STATE]
    lab.boot(machines)  # those that an earlier scenario killed
    scenario, _ = name_of(request.node)
    recorder = ScenarioRecorder(
        state.run_folder(), lab, scenario, system, doc=doc_of(request.node),
        variant=variant_of(request.node),
        test=request.node.nodeid, tell=state.progress.tell,
        expected_disaster=request.node.get_closest_marker("control") is not None)
    with state.progress.doing(f"{scenario} on {system}"), recorder.recording():
        yield recorder.story
        recorder.outcome_of(request.node.stash.get(REPORTS, {}).get("call"))


@pytest.fixture
def target(lab: Lab, system: str, story: Story) -> Iterator[Target]:
    """The system under test, in the guest `target`; it serves nothing until it is told to."""
    guest = lab.guest("target")
    one = SYSTEMS[system](guest)
    story.run.add_system(system)
    story.run.add_versions({system: one.prepare()})
    yield one
    if not one.guest.is_up:  # a scenario may have killed it
        return
    (story.folder.path / "target.log").write_text(one.log(), encoding="utf-8")
    if not lab.kept:
        one.check_alive()
        one.stop()


@pytest.fixture
def initiator(lab: Lab, story: Story, target: Target) -> Iterator[Initiator]:
    """open-iscsi in the guest `one`. Needs the target: it logs out before that ends."""
    one = Initiator(lab.guest("one"))
    story.run.add_versions({"open-iscsi": one.prepare()})
    yield one
    if not lab.kept and one.guest.is_up:  # a scenario may have killed it
        one.clear()


@pytest.fixture
def seeds(pytestconfig: pytest.Config, story: Story) -> Callable[[int], Iterator[int]]:
    """`for seed in seeds(2)`: seeds 1 and 2 (--seed N: from N on), and with --long as many more as its
    minutes allow, each with a capture of its own that is judged and, when nothing is broken, dropped."""
    first = pytestconfig.getoption("tsih_first_seed")
    long_s = pytestconfig.getoption("tsih_long_minutes") * 60
    started = time.monotonic()

    def numbers(usual: int) -> Iterator[int]:
        for seed in itertools.count(first):
            if seed >= first + usual:
                if time.monotonic() - started >= long_s:
                    return
                story.end_round()
            yield seed

    return numbers


@pytest.fixture
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether this is a run of the long tier."""
    return pytestconfig.getoption("tsih_long_minutes") > 0


# -- outcomes -------------------------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    outcome = yield
    report = outcome.get_result()
    item.stash.setdefault(REPORTS, {})[report.when] = report
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, TsihError):
        report.longrepr = error.text()  # a line with the way out, no traceback
    state = item.config.stash[STATE]
    if report.when == "call" and report.failed:
        report.tsih_error = isinstance(error, TsihError)
        if item.config.getoption("tsih_keep") and state.lab:
            state.kept_because = item.nodeid
            state.lab.keep()
            item.session.shouldstop = "kept the lab of the failed scenario"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    state = session.config.stash[STATE]
    state.progress.clear()
    if state.run:
        state.run.end(int(exitstatus))


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    state = config.stash[STATE]
    if not state.run:
        return
    write = terminalreporter.write_line
    write(f"run folder: {_short(state.run.path)}")
    if state.lab and state.lab.kept:
        write(f"the lab is up as it was when {state.kept_because} failed:")
        for guest in state.lab.guests:
            write(f"  tsih shell {guest.name:8}  # or: tsih exec {guest.name} COMMAND")
        write("  tsih stop            # ends its guests")
    tsih = _short(paths.bin_dir() / "tsih")
    write(f"next: {tsih} report {_short(state.run.path)} --out build/report")


def _short(path: pathlib.Path) -> str:
    try:
        return str(path.resolve().relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)
