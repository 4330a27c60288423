# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import pytest

from vera_bringup.recorder import Recorded
from vera_bringup.timeline import Timeline
from vera_bringup.video import FPS, HOLD_S, PANEL, Video, write_mp4
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError
from vera_core.ros.messages import flow_to_msg, from_ns, image_from_rgb, plan_to_msg, velocity_to_msg
from vera_core.types import FlowField, JacobianField, JointVelocity, VideoPlan

ROBOT = load_embodiment('panda')
MS = 1_000_000
START = 5_000 * MS
VIEWS = ROBOT.view_names


@dataclass
class FakeRecorder:
    """A second of recording: pictures at 10 Hz whose brightness is their number, joint states at 100 Hz, one plan, flow at 5 Hz."""

    kept: dict

    def messages(self, topic):
        return iter(self.kept.get(topic, []))


class BrightField:
    """A field in which joint 3 moves everything to the right."""

    def predict(self, frames, position):
        jacobian = np.zeros((32, 32, 2, 7), np.float32)
        jacobian[..., 0, 2] = 50.0
        return {view: JacobianField(view=view, jacobian=jacobian, confidence=np.ones((32, 32), np.float32), stride=4) for view in frames}


def joint_state(stamp_ns, velocity):
    from sensor_msgs.msg import JointState

    message = JointState(name=list(ROBOT.joint_names), position=list(ROBOT.home), velocity=list(velocity))
    message.header.stamp = from_ns(stamp_ns)
    return message


@pytest.fixture
def recorder() -> FakeRecorder:
    kept: dict = {}
    for view in ROBOT.views:
        pictures = [(START + i * 100 * MS, np.full((256, 256, 3), 10 * i, np.uint8)) for i in range(11)]
        kept[view.image_topic] = [Recorded(stamp + 5 * MS, image_from_rgb(rgb, stamp_ns=stamp)) for stamp, rgb in pictures]
    speeds = np.zeros(7)
    speeds[2] = 0.4
    stamps = [START + i * 10 * MS for i in range(101)]
    kept[ROBOT.driver.joint_states_topic] = [Recorded(stamp, joint_state(stamp, speeds)) for stamp in stamps]
    frames = {view: np.stack([np.full((128, 128, 3), 100 + i, np.uint8) for i in range(21)]) for view in VIEWS}
    plan = VideoPlan(plan_id=4, task_id=1, prompt='touch', stamp_ns=START, step_dt_s=0.3, frames=frames)
    kept['plan'] = [Recorded(START + 150 * MS, plan_to_msg(plan))]
    flow = np.zeros((128, 128, 2), np.float32)
    flow[..., 0] = 3.0
    for i in range(2, 10, 2):
        stamp = START + i * 100 * MS
        field = FlowField(
            stamp_ns=stamp, plan_id=4, task_id=1, step=i, dt_s=0.3, flow=dict.fromkeys(VIEWS, flow),
            confidence={view: np.ones((128, 128), np.float32) for view in VIEWS}, remaining_px=3.0, at_plan_end=False,
        )  # fmt: skip
        kept.setdefault('flow', []).append(Recorded(stamp + 30 * MS, flow_to_msg(field, stamp_target_ns=stamp + 300 * MS)))
        velocity = JointVelocity(
            stamp_ns=stamp, plan_id=4, task_id=1, step=i, dt_s=0.3, delta_q=speeds * 0.3, std=np.zeros(7), observability=np.ones(7),
            residual_ratio=0.1, residual_px=0.1, condition=10.0, remaining_px=3.0, at_plan_end=False,
        )  # fmt: skip
        kept.setdefault('joint_velocity', []).append(
            Recorded(stamp + 60 * MS, velocity_to_msg(velocity, ROBOT.joint_names, latency_s=0.06))
        )
    return FakeRecorder(kept)


def test_timeline_tells_what_was_known_at_a_time(recorder):
    timeline = Timeline(recorder, ROBOT)
    assert timeline.duration_s == pytest.approx(1.0)
    early, late = timeline.at(0.05), timeline.at(0.95)
    assert early.plan is None
    assert early.flow is None
    assert int(early.pictures['front'][0, 0, 0]) == 0
    assert late.plan is not None
    assert late.plan.plan_id == 4
    assert late.flow is not None
    assert late.flow.step == 8
    assert int(late.pictures['side'][0, 0, 0]) == 90
    np.testing.assert_allclose(late.position, ROBOT.home)


def test_timeline_gives_velocities_since_the_first_picture(recorder):
    timeline = Timeline(recorder, ROBOT)
    times, measured = timeline.measured_velocity()
    assert (times[0], times[-1]) == (pytest.approx(0.0), pytest.approx(1.0))
    times, estimated = timeline.estimated_velocity()
    np.testing.assert_allclose(times, [0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(estimated[:, 2], 0.4)
    assert measured.shape[1] == 7


def test_timeline_names_what_was_not_recorded(recorder):
    recorder.kept['/camera/side/image_raw'] = []
    with pytest.raises(ConfigError, match='nothing was recorded of side; there is no video to draw'):
        Timeline(recorder, ROBOT)


def test_a_frame_shows_camera_dream_flow_and_field_of_every_view(recorder):
    video = Video(Timeline(recorder, ROBOT), ROBOT, BrightField(), prompt='touch the red cube')
    frame = video.draw(Timeline(recorder, ROBOT).at(0.95))
    assert frame.shape == (video.size[1], video.size[0], 3)
    for row in range(2):
        top = frame.shape[0] - (2 - row) * PANEL
        panels = [frame[top + 40 : top + PANEL, column * PANEL + 40 : (column + 1) * PANEL] for column in range(4)]
        assert np.median(panels[0]) == 90  # camera picture 9
        assert np.median(panels[1]) == 108  # plan frame 8
        assert (panels[2] != 90).any()  # arrows
        assert np.abs(panels[3].astype(int) - 90).mean() > 20  # joint 3, the one that moves, moves everything
    assert (frame[60:, 4 * PANEL :] > 100).any()  # curves


def test_mp4_can_be_read_back_with_all_frames(recorder, tmp_path):
    video = Video(Timeline(recorder, ROBOT), ROBOT, BrightField(), prompt='touch the red cube')
    path = tmp_path / 'demo.mp4'
    codec = write_mp4(path, video.frames(), size=video.size)
    assert codec in ('libx264', 'mpeg4')
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == FPS
    assert len(frames) == FPS + int(HOLD_S * FPS)
    assert frames[0].shape == (video.size[1], video.size[0], 3)
    assert sorted(tmp_path.iterdir()) == [path]
