# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast the operator page is with the whole graph on the same machine: first paint, pictures per second, stop by a key to rest.

    python benchmarks/operator_page.py --pictures docs/images

Needs Chromium. The graph is panda_sim with the embedded planner; the browser runs beside it on the same cores.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from sensor_msgs.msg import JointState

from vera_bringup.operator.browser import Browser
from vera_bringup.operator.trial import run_trial
from vera_bringup.supervision import isolate, running_system
from vera_bringup.system import load_system
from vera_core.embodiment import load_embodiment
from vera_core.ros import qos


def main() -> int:
    """Run the trial and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pictures', type=Path, help='folder for screenshots; none are taken when left out')
    parser.add_argument('--sentence', default='touch the red cube')
    parser.add_argument('--seed', type=int, default=7)
    parser.add_argument('--stops', type=int, default=5, help='how often the arm is stopped, with and without a hanging page')
    options = parser.parse_args()
    isolate()
    system = load_system('panda_sim', arguments={'operator_page': 'true'}).with_parameters('operator_node', {'port': 0, 'stop_port': 0})
    robot = load_embodiment(system.robot)
    urls: list[str] = []

    def look(node: str, line: str) -> None:
        if found := re.search(r'operator page: (\S+)', line):
            urls.append(found[1])

    record = {robot.driver.joint_states_topic: (JointState, qos.SENSOR)}
    with running_system(system, record=record, on_line=look) as (processes, session), Browser() as browser:
        session.reset_scene(options.seed, 'red_cube')
        session.make_ready()
        session.wait_for(lambda: bool(urls), timeout_s=10.0, what='the address of the page')
        figures = run_trial(browser, processes, session, urls[0], sentence=options.sentence, stops=options.stops, pictures=options.pictures)
        json.dump({**figures.as_dict(), 'complaints': browser.complaints()}, sys.stdout, indent=2)
        print()
    return 0


if __name__ == '__main__':
    sys.exit(main())
