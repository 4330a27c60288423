# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Render a few small pictures with the renderer named in MUJOCO_GL and print the milliseconds one takes; fails when the picture is empty."""

from __future__ import annotations

import time

import mujoco

SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="view" pos="0 -1.5 1" xyaxes="1 0 0 0 0.55 0.83"/>
    <geom type="plane" size="2 2 0.1" rgba="0.6 0.6 0.6 1"/>
    <geom type="box" size="0.2 0.2 0.2" pos="0 0 0.2" rgba="0.9 0.1 0.1 1"/>
  </worldbody>
</mujoco>
"""


def main() -> None:
    """Render, check, time."""
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, height=256, width=256) as renderer:
        renderer.update_scene(data, camera='view')
        picture = renderer.render()
        if picture.std() < 1:
            raise SystemExit('the rendered picture is empty')
        begin = time.perf_counter()
        for _ in range(10):
            renderer.update_scene(data, camera='view')
            renderer.render()
        print(1e2 * (time.perf_counter() - begin))


if __name__ == '__main__':
    main()
