# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How near does a robot come to the end of a motion it only knows from a video? Random 1-rad joint motions, filmed, then followed closed loop.

    MUJOCO_GL=egl python benchmarks/closed_loop.py --robot panda --field learned --episodes 20 --json closed_loop_learned.json

Physics, two cameras at 10 Hz, optical flow, field, inversion and the controller itself, on simulated time with a fixed latency, without ROS.
`--field analytic` is the exact field of the simulator: what is lost with it is lost by flow, inversion and following. About 6 s of one core per
motion; with `--json`, a run that was stopped goes on where it was. Motions stay inside the pictures: what leaves them cannot be followed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from vera_bringup.closed_loop_run import FollowRequest, follow_and_show


def main() -> None:
    """Follow the motions, print the tables, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robot', default='panda', help='name of a shipped robot or path of a robot file')
    parser.add_argument('--field', default='learned', help='learned, analytic (exact), or another field by name')
    parser.add_argument('--weights', default='', help='folder with the weights of the field; those of the robot when left out')
    parser.add_argument('--episodes', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path, help='file for the report')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    request = FollowRequest(
        robot=arguments.robot, field=arguments.field, weights=arguments.weights, episodes=arguments.episodes, seed=arguments.seed
    )
    raise SystemExit(follow_and_show(request, report=arguments.json))


if __name__ == '__main__':
    main()
