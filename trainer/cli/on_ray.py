"""`lauter train --address`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from lauter.pipeline.cli.console import FAILED, USAGE, fail
from lauter.trainer.config.sections import RunSection
from lauter.trainer.launch.fitting import require_ranks
from lauter.trainer.loop.errors import ConfigError


def launch_on_ray(section: RunSection, words: Sequence[str], address: str, ranks: int | None) -> int:
    """Run `lauter WORDS` on so many ranks of a Ray cluster; its exit code.

    Leaves with a usage error where the config does not go with the ranks, and fails where there is no cluster or no
    room in it.
    """
    count = section.launch.nodes * section.launch.ranks_per_node if ranks is None else ranks
    try:
        require_ranks(section, count)
    except ConfigError as error:
        fail(str(error), USAGE)
    # After the check: Ray takes a second to import.
    from ray.exceptions import RayError

    from lauter.trainer.launch.ray import NoRoom, run_on_ray

    console = Console(stderr=True, emoji=False)

    def tell(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    try:
        return run_on_ray(section, words, address, count, tell)
    except (ConnectionError, NoRoom) as error:
        fail(str(error), FAILED)
    except RayError as error:
        fail(f"the Ray cluster at {address} went away: {error}", FAILED)
