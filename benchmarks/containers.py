"""qdocker beside Docker on real engines of this machine: `python -m benchmarks.containers`.

One container's life with Docker's command, its SDK, qrealm's engine and the `qdocker` command; containers
made by several threads; and how long the containers of a node that is killed are gone, with qdocker and with
Docker Swarm. Needs root, dockerd, the docker command and busybox-static. `--publish` writes the tables into
docs/qdocker.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.page import table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engines.swarm_nodes import why_no_swarm

PAGE = Path(__file__).parents[1] / "docs" / "qdocker.md"
BEGIN, END = "<!-- figures: written by benchmarks.containers -->", "<!-- end of figures -->"
IN_PROCESS = ("Docker SDK for Python", "qrealm ContainerEngine")


def life_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Milliseconds of each step."""
    rows = [[way, *(f"{1e3 * seconds:.0f}" for seconds in steps.values())] for way, steps in found.items()]
    return table(["median ms", "create", "start", "stop", "remove", "all four"], rows)


def rate_table(found: Mapping[str, float]) -> str:
    """Containers in a second."""
    rows = [[way, f"{rate:.1f}"] for way, rate in found.items()]
    return table(["20 containers, 4 threads", "created and started per second"], rows)


def recovery_table(found: Mapping[str, Sequence[float]]) -> str:
    """Seconds until everything runs again."""
    rows = [
        [way, f"{statistics.median(each):.1f}", f"{min(each):.1f}", f"{max(each):.1f}"]
        for way, each in found.items()
    ]
    return table(["seconds until the dead node's containers run elsewhere", "median", "least", "most"], rows)


def figures(options: argparse.Namespace) -> Iterator[str]:
    """The parts of the page, in order; each is measured when it is asked for."""
    # Both import the SDK: without it `why_no_swarm` has said so by now.
    from benchmarks.container_lives import lives, rates, ways
    from benchmarks.container_recovery import recoveries

    machine = describe_machine()
    yield f"Measured on {time.strftime('%Y-%m-%d')} by `python -m benchmarks.containers`."
    yield f"{machine.title()}; Docker {docker_version()}; Docker SDK {version('docker')}."
    with ways() as known:
        if options.rounds:
            yield life_table(lives(known, options.rounds))
        if options.batches:
            yield rate_table(rates(known, IN_PROCESS, options.batches))
    if options.recoveries:
        yield recovery_table(recoveries(options.recoveries, progress))


def docker_version() -> str:
    """Of the dockerd that is measured."""
    told = subprocess.run(["dockerd", "--version"], check=True, capture_output=True, text=True).stdout
    return told.split("version ")[1].split(",")[0]


def progress(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def publish(text: str) -> None:
    """Write the tables between the page's marks."""
    head, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{PAGE} has no marks {BEGIN} and {END}")
    PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")


def main() -> None:
    """Measure, print, and publish if that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.containers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="lives of each way; 0 leaves them out")
    parser.add_argument("--batches", type=int, default=5, help="batches by threads of each way; 0: none")
    parser.add_argument("--recoveries", type=int, default=3, help="dead nodes of each way; 0: none")
    parser.add_argument("--publish", action="store_true", help="also write docs/qdocker.md")
    options = parser.parse_args()
    if (reason := why_no_swarm()) is not None:
        raise SystemExit(f"benchmarks.containers: {reason}")
    parts = []
    for part in figures(options):
        print(f"{part}\n", flush=True)
        parts.append(part)
    if options.publish:
        publish("\n\n".join(parts))


if __name__ == "__main__":
    main()
