# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Gives the recorded planner its video: the scripted expert, rendered in the scene and from the start pose of an episode."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from vera_bringup.session import Session
from vera_bringup.task_run import Episode
from vera_core.embodiment import load_embodiment

if TYPE_CHECKING:
    from vera_sim.world import World


class ExpertClips:
    """Prepares planner_node for one episode after the other; does nothing for planners that dream. Use as a context manager."""

    def __init__(self, planner: str, robot: str = 'panda') -> None:
        """Prepare for a planner backend by name, and a robot by name or path of its file."""
        self._wanted = planner == 'recorded'
        self._robot = robot
        self._world: World | None = None
        self._folder = tempfile.TemporaryDirectory(prefix='vera_clips_')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        if self._world is not None:
            self._world.close()

    def prepare(self, session: Session, episode: Episode) -> None:
        """Render the expert's video for an episode and wait until planner_node has read it.

        Raises:
            SessionError: If planner_node refuses the file or does not report it in time.
        """
        if not self._wanted:
            return
        path = Path(self._folder.name) / f'clip_{episode.seed}_{str(episode.goal).replace(" ", "_")}.npz'
        write_clip(self._renderer(), path, episode)
        session.set_parameter('planner_node', 'recording', str(path))
        session.wait_for(lambda: _plays(session, path.name), timeout_s=15.0, what=f'the planner reading {path.name}')

    def _renderer(self) -> World:
        from vera_sim.world import World

        if self._world is None:
            self._world = World(load_embodiment(self._robot))
        return self._world


def write_clip(world: World, path: Path, episode: Episode) -> None:
    """Write the expert's video of an episode as the recorded planner reads it: `frames_VIEW` and `step_dt_s`, no joint positions."""
    from vera_sim.clips import STEP_DT_S, make_clip

    clip = make_clip(world, episode.seed, goal=episode.goal, with_masks=False)
    arrays: dict[str, Any] = {f'frames_{view}': frames for view, frames in clip.frames.items()}
    np.savez(path, step_dt_s=STEP_DT_S, **arrays)


def _plays(session: Session, name: str) -> bool:
    return session.planner is not None and name in session.planner.model
