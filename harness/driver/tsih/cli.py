"""The command `tsih`: git-style. What it has not built in it looks for beside itself as tsih-NAME."""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import shutil
import sys
from typing import Callable

from tsih import names, paths
from tsih.errors import TsihError

OK, FAILED, USAGE = 0, 1, 2
PYTHON = "/usr/bin/python3"  # Debian's: it has pytest and Jinja2; another on PATH may not

HELP = """usage: tsih COMMAND [ARGUMENT...]

scenarios in guests
  tsih list [WORD]                  what there is, one line each
  tsih run NAME|GLOB... [options]   run scenarios; --all for every one
  tsih exec GUEST COMMAND...        run a command in a guest that --keep left up
  tsih shell GUEST                  a root shell in it
  tsih stop                         end the guests that --keep left up

judging by the RFC
  tsih conform iscsi://ADDR:PORT/IQN/LUN   the conformance cases against any target
  tsih conform-initiator -- COMMAND {url}  the same for any initiator: a target that plays a part
  tsih judge CAPTURE                       any capture, every PDU of both parties
  tsih mutants                             breaks a good target's rules, one by one: is each noticed?

reports
  tsih report RUN... --out DIR      HTML, JUnit and JSON from run folders
  tsih clauses                      the clauses of the RFC, on the terminal

tsih COMMAND --help says more. Exit status: 0 ok, 1 something failed, 2 usage.
"""


class Usage(Exception):
    """Bad arguments: one line, exit status 2."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise Usage(f"{self.prog}: {message}; {self.prog} --help")


# -- list -----------------------------------------------------------------------------------------


def list_scenarios(arguments: list[str]) -> int:
    parser = Parser(prog="tsih list", description="The scenarios, one line each, and their systems.")
    parser.add_argument("word", nargs="?", help="only names that contain this")
    options = parser.parse_args(arguments)
    found = collect()
    rows = [row for row in found if not options.word or options.word in row[0]]
    if not rows:
        known = [row[0] for row in found]
        raise Usage(f"tsih list: no scenario is called like {options.word!r}"
                    f"{names.did_you_mean(options.word, known)}")
    width = max(len(row[0]) for row in rows)
    systems_width = max(len(row[1]) for row in rows)
    for name, systems, title in rows:
        print(f"{name:{width}}  {systems:{systems_width}}  {title}")
    return OK


def collect() -> list[tuple[str, str, str]]:
    """(name, systems, title) of every scenario, in the order in which they run."""
    import pytest

    import tsih.plugin as plugin

    class Collected:
        items: list = []

        def pytest_collection_finish(self, session: pytest.Session) -> None:
            self.items = list(session.items)

    seen = Collected()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        saved, sys.stdout = sys.stdout, nowhere
        try:
            status = pytest.main([*pytest_arguments(), "--collect-only", "-q"],
                                 plugins=[plugin, seen])
        finally:
            sys.stdout = saved
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise TsihError("the scenarios could not be read", hint=f"{PYTHON} -m pytest {paths.SCENARIOS}")
    rows: dict[str, tuple[list[str], str]] = {}
    for item in seen.items:
        name, system = plugin.name_of(item)
        title = plugin.doc_of(item).strip().split("\n")[0]
        rows.setdefault(name, ([], title))[0].append(system)
    return [(name, ",".join(systems), title) for name, (systems, title) in rows.items()]


# -- run ------------------------------------------------------------------------------------------


def pytest_arguments() -> list[str]:
    return ["-c", str(paths.SCENARIOS / "pytest.ini"), "--rootdir", str(paths.SCENARIOS),
            str(paths.SCENARIOS), "-p", "no:cacheprovider", "--no-header"]


RUN_EPILOG = """NAME is a scenario (login.chap), the beginning of some (split_brain, split_brain.paused)
or a glob ('resize.*'). Everything else is given to pytest: -k EXPR, -x, --junitxml=FILE, -v, ...
"""


def run(arguments: list[str]) -> int:
    patterns, options, passed_on = parse_run(arguments)
    for program in ("tsih-lab",):
        if not os.access(paths.bin_dir() / program, os.X_OK):
            raise TsihError(f"no program {paths.bin_dir() / program}", hint="make build")
    check_image()
    argv = pytest_arguments()
    argv += [word for pattern in patterns for word in ("--scenario", pattern)]
    argv += [word for system in options.system or [] for word in ("--system", system)]
    if options.keep:
        argv.append("--keep")
    if options.long:
        argv += ["--long", str(options.long)]
    if options.seed is not None:
        argv += ["--seed", str(options.seed)]
    if options.out:
        if pathlib.Path(options.out).exists():
            raise Usage(f"tsih run: --out {options.out} is there already; name a folder that is not")
        argv += ["--out", options.out]
    argv += ["--tsih-command", shlex.join(["build/bin/tsih", "run", *arguments])]
    if not any(word.startswith(("-q", "-v")) for word in passed_on):
        argv += ["-v"]
    import pytest

    import tsih.plugin as plugin

    status = int(pytest.main([*argv, *passed_on], plugins=[plugin]))
    if status == pytest.ExitCode.USAGE_ERROR:
        return USAGE
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        print("tsih run: no scenario was chosen; tsih list", file=sys.stderr)
        return USAGE
    return OK if status == 0 else FAILED


def parse_run(arguments: list[str]) -> tuple[list[str], argparse.Namespace, list[str]]:
    """(scenario patterns, our options, what is pytest's)."""
    parser = Parser(prog="tsih run", epilog=RUN_EPILOG, add_help=True, allow_abbrev=False,
                    usage="tsih run NAME|GLOB... [--system NAME] [--keep] [--long MINUTES] [--seed N] [-k EXPR] [pytest options]",
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every scenario")
    parser.add_argument("--system", action="append", metavar="NAME",
                        help="only on this system under test: tsihd, lio, open-iscsi (may be repeated)")
    parser.add_argument("--keep", action="store_true",
                        help="after a failure stop, leave the guests up and say how to get in")
    parser.add_argument("--long", type=float, metavar="MINUTES",
                        help="scenarios that go by seeds try new ones for so long, each, and "
                             "nothing is left out for its length")
    parser.add_argument("--seed", type=int, metavar="N",
                        help="the first seed of scenarios that go by seeds (1), to repeat or to go on")
    parser.add_argument("--out", metavar="DIR", help="the run folder (default: a new one in build/runs)")
    parser.add_argument("-k", dest="expression", metavar="EXPR", help="pytest's: names by expression")
    options, rest = parser.parse_known_args(arguments)
    patterns, passed_on = [], []
    for word in rest:
        (passed_on if word.startswith("-") or passed_on and takes_value(passed_on[-1])
         else patterns).append(word)
    if options.expression is not None:
        passed_on += ["-k", options.expression]
    if not patterns and not options.all and options.expression is None:
        raise Usage("tsih run: which scenario? a name or glob of `tsih list`, or --all")
    if patterns and options.all:
        raise Usage(f"tsih run: --all and {patterns[0]}: one of the two")
    from tsih.targets import INITIATORS, SYSTEMS

    known = [*SYSTEMS, *INITIATORS]
    for system in options.system or []:
        if system not in known:
            raise Usage(f"tsih run: no system is called {system!r}"
                        f"{names.did_you_mean(system, known)}; there are {', '.join(known)}")
    return patterns, options, passed_on


# Options of pytest whose value is the next word; with = between them no list is needed.
VALUE_OPTIONS = frozenset({"-m", "-o", "-p", "-r", "-W", "--junitxml", "--junit-xml", "--maxfail",
                           "--timeout", "--durations", "--tb", "--log-level", "--color", "--basetemp"})


def takes_value(option: str) -> bool:
    return option in VALUE_OPTIONS


def check_image() -> None:
    """Says at once what a lab would find out later: there is no guest image."""
    if paths.image() is None:
        raise TsihError("the guest image is not built (or its recipe has changed)", hint="make image")


# -- kept labs ------------------------------------------------------------------------------------


def exec_in_guest(arguments: list[str]) -> int:
    parser = Parser(prog="tsih exec", description="Runs a command in a guest that --keep left up.")
    parser.add_argument("guest")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="shell text")
    options = parser.parse_args(arguments)
    if not options.command:
        raise Usage("tsih exec: which command? tsih exec GUEST COMMAND...")
    client = kept_lab()
    check_guest(client, options.guest)
    reply = client.call("guest.exec", guest=options.guest, shell=" ".join(options.command),
                        timeout_ms=600000, reply_s=620)
    sys.stdout.write(reply.get("stdout", ""))
    sys.stderr.write(reply.get("stderr", ""))
    code = reply.get("exit_code")
    return code if code is not None else 128 + (reply.get("signal") or 0)


def shell_in_guest(arguments: list[str]) -> int:
    parser = Parser(prog="tsih shell", description="A root shell in a guest that --keep left up.")
    parser.add_argument("guest")
    options = parser.parse_args(arguments)
    client = kept_lab()
    console = check_guest(client, options.guest)["console"]
    client.close()
    from tsih.console import talk

    return talk(console)


def stop(arguments: list[str]) -> int:
    Parser(prog="tsih stop", description="Ends the guests that --keep left up.").parse_args(arguments)
    client = kept_lab()
    run_dir = pathlib.Path(client.call("lab.info")["run_dir"])
    client.call("lab.shutdown")
    if run_dir.parent.resolve() == paths.labs().resolve():
        shutil.rmtree(run_dir, ignore_errors=True)
    print("ended")
    return OK


def kept_lab():
    from tsih.labclient import LabError, connect

    for path in paths.kept_labs():
        try:
            client = connect(path)
        except LabError:
            continue
        client.wait_ready()
        return client
    raise TsihError("no lab is up", hint="tsih run NAME --keep leaves one up after a failure")


def check_guest(client, name: str) -> dict:
    guests = {guest["name"]: guest for guest in client.call("guest.list")["guests"]}
    if name not in guests:
        raise Usage(f"tsih: no guest is called {name!r}{names.did_you_mean(name, list(guests))}; "
                    f"there are {', '.join(guests) or 'none'}")
    return guests[name]


# -- the rest -------------------------------------------------------------------------------------


BUILT_IN: dict[str, Callable[[list[str]], int]] = {
    "list": list_scenarios,
    "run": run,
    "exec": exec_in_guest,
    "shell": shell_in_guest,
    "stop": stop,
}


def programs_beside() -> dict[str, pathlib.Path]:
    """tsih-NAME in the directory of tsih itself and among the scripts of reports/, by NAME."""
    found: dict[str, pathlib.Path] = {}
    for directory in (paths.ROOT / "reports", paths.bin_dir()):
        for program in sorted(directory.glob("tsih-*")) if directory.is_dir() else []:
            if program.is_file() and os.access(program, os.X_OK):
                found[program.name.removeprefix("tsih-")] = program
    return found


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return OK if argv else USAGE
    command, arguments = argv[0], argv[1:]
    beside = programs_beside()
    try:
        if command in BUILT_IN:
            return BUILT_IN[command](arguments)
        if command in beside:
            os.execv(beside[command], [str(beside[command]), *arguments])
        known = [*BUILT_IN, *beside]
        hint = "make build" if command in ("conform", "conform-initiator", "lab") else "tsih --help"
        raise Usage(f"tsih: no command {command!r}{names.did_you_mean(command, known)}; {hint}")
    except Usage as usage:
        print(usage, file=sys.stderr)
        return USAGE
    except TsihError as error:
        print(f"tsih {command}: {error.text()}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tsih list | head`: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK
