# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole way from MCAP files to weights, on a robot small enough to draw: two links in a plane, seen upright and mirrored."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mcap_ros2.writer import Writer

from vera_core.embodiment import Embodiment, load_embodiment
from vera_core.errors import ConfigError
from vera_core.types import JacobianField
from vera_jidm.flow.dis import DisFlow
from vera_jidm.jacobian.learned import LearnedField
from vera_jidm.solve.joint_step import SolveSettings
from vera_jidm.solve.rows import pool_to_cells
from vera_jidm.training.dataset import STEP_RANGE, find_pairs, label_moments, split_recordings
from vera_jidm.training.evaluation import evaluate_field
from vera_jidm.training.loss_weights import ESTIMATED_LABELS, EXACT_LABELS
from vera_jidm.training.pipeline import Trained, evaluate_idm, train_idm
from vera_jidm.training.recipe import DataOptions, Recipe
from vera_jidm.training.recording import Recording, find_recordings, read_recording
from vera_jidm.training.trainer import TrainingOptions

SIZE, BASE, LENGTHS = 64, np.array([31.5, 45.0]), (18.0, 14.0)
ROBOT = """
name: toy
summary: two links in a plane
base_frame: base
limit_scale: {velocity: 1.0, acceleration: 1.0, jerk: 1.0}
joints:
  - {name: shoulder, lower: -3.0, upper: 3.0, velocity: 2.0, acceleration: 10.0, jerk: 100.0}
  - {name: elbow, lower: -3.0, upper: 3.0, velocity: 2.0, acceleration: 10.0, jerk: 100.0}
poses:
  home: [-1.5, 0.5]
working_size: [64, 64]
views:
  - {name: upright, image_topic: /camera/upright/image_raw, camera_info_topic: /camera/upright/camera_info}
  - {name: mirrored, image_topic: /camera/mirrored/image_raw, camera_info_topic: /camera/mirrored/camera_info}
driver:
  joint_states_topic: /joint_states
  command_topic: /command
"""
HEADER = 'std_msgs/Header header\n'
TAIL = f"""{'=' * 80}
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
{'=' * 80}
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""


class ToyScene:
    """Exact pictures, fields and flow of the toy: the part that the simulator's oracle plays in the real house."""

    def __call__(self, recording: Recording) -> ToyScene:
        return self

    def picture(self, view: str, q: np.ndarray) -> np.ndarray:
        canvas = cv2.resize(
            np.random.default_rng(5).integers(40, 90, (8, 8, 3), dtype=np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC
        )
        for mask, colour in zip(self._masks(q), ((200, 60, 60), (60, 200, 220)), strict=True):
            canvas[mask] = colour
        return canvas if view == 'upright' else np.ascontiguousarray(canvas[:, ::-1])

    def jacobian(self, view: str, q: np.ndarray) -> JacobianField:
        field, masks = np.zeros((SIZE, SIZE, 2, 2), np.float32), self._masks(q)
        v, u = np.mgrid[:SIZE, :SIZE]
        for joint, anchor in enumerate((BASE, self._ends(q)[0])):
            turn = np.stack([-(v - anchor[1]), u - anchor[0]], axis=-1)
            moves = masks[1] if joint else masks[0] | masks[1]
            field[moves, :, joint] = turn[moves]
        return self._seen(view, field, masks[0] | masks[1])

    def flow(self, view: str, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        v, u = np.mgrid[:SIZE, :SIZE]
        pixels, flow = np.stack([u, v], axis=-1).astype(float), np.zeros((SIZE, SIZE, 2), np.float32)
        anchors = ((BASE, BASE), (self._ends(start)[0], self._ends(end)[0]))
        for mask, angle, (before, after) in zip(self._masks(start), np.cumsum(end - start), anchors, strict=True):
            rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            flow[mask] = ((pixels - before) @ rotation.T + after - pixels)[mask]
        return flow if view == 'upright' else flow[:, ::-1] * np.array([-1, 1], np.float32)

    def _ends(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        elbow = BASE + LENGTHS[0] * np.array([np.cos(q[0]), np.sin(q[0])])
        return elbow, elbow + LENGTHS[1] * np.array([np.cos(q.sum()), np.sin(q.sum())])

    def _masks(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        elbow, tip = self._ends(q)
        masks = []
        for first, second in ((BASE, elbow), (elbow, tip)):
            mask = np.zeros((SIZE, SIZE), np.uint8)
            cv2.line(mask, tuple(np.round(first).astype(int).tolist()), tuple(np.round(second).astype(int).tolist()), 1, 9)
            masks.append(mask > 0)
        return masks[0] & ~masks[1], masks[1]

    def _seen(self, view: str, field: np.ndarray, robot: np.ndarray) -> JacobianField:
        if view == 'mirrored':
            field, robot = field[:, ::-1] * np.array([-1, 1], np.float32)[:, None], robot[:, ::-1]
        return JacobianField(view=view, jacobian=pool_to_cells(field, 4), confidence=pool_to_cells(robot.astype(np.float32), 4), stride=4)


def write_recording(
    path: Path,
    seed: int,
    *,
    seconds: float = 8.0,
    skip: str = '',
    still: bool = False,
    joint_names: tuple[str, str] = ('shoulder', 'elbow'),
) -> None:
    scene, rng = ToyScene(), np.random.default_rng(seed)
    goals = np.array([-1.5, 0.3]) + rng.uniform(-1.1, 1.1, (20, 2))
    with path.open('wb') as stream:
        writer = Writer(stream)
        pictures = writer.register_msgdef('sensor_msgs/msg/CompressedImage', f'{HEADER}string format\nuint8[] data\n{TAIL}')
        states = writer.register_msgdef(
            'sensor_msgs/msg/JointState', f'{HEADER}string[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort\n{TAIL}'
        )
        for tick in range(int(seconds * 50)):
            stamp_ns = 5_000_000_000 + tick * 20_000_000
            header = {'stamp': {'sec': stamp_ns // 10**9, 'nanosec': stamp_ns % 10**9}, 'frame_id': ''}
            move, share = divmod(0.0 if still else tick / 50, 1.0)
            q = goals[int(move)] + (goals[int(move) + 1] - goals[int(move)]) * (1 - np.cos(np.pi * share)) / 2
            if skip != 'joints':
                # Other joints and another order, as a real robot with a gripper has them.
                message = {
                    'header': header,
                    'name': [joint_names[1], 'finger', joint_names[0]],
                    'position': [q[1], 0.04, q[0]],
                    'velocity': [],
                    'effort': [],
                }
                writer.write_message('/joint_states', states, message, log_time=stamp_ns, publish_time=stamp_ns)
            for view in ('upright', 'mirrored'):
                if tick % 5 == 0 and skip != view:
                    data = cv2.imencode('.png', scene.picture(view, q)[..., ::-1])[1].tobytes()
                    message = {'header': header, 'format': 'png', 'data': data}
                    writer.write_message(
                        f'/camera/{view}/image_raw/compressed', pictures, message, log_time=stamp_ns, publish_time=stamp_ns
                    )
        writer.finish()


@pytest.fixture(scope='module')
def toy(tmp_path_factory: pytest.TempPathFactory) -> Embodiment:
    path = tmp_path_factory.mktemp('robot') / 'toy.yaml'
    path.write_text(ROBOT)
    return load_embodiment(str(path))


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('selfplay')
    for seed in range(5):
        write_recording(folder / f'toy_{seed}.mcap', seed)
    return folder


def _quiet(what: str, done: int, count: int) -> None:
    assert 0 <= done <= count, what


class Ticks:
    """A clock that goes on by a fixed share with every step, so that a test trains for a number of steps, not for a time."""

    def __init__(self, step_s: float) -> None:
        self.now, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self._step_s
        return self.now


def test_toy_truth_agrees_with_itself() -> None:
    scene, q, step = ToyScene(), np.array([-1.2, 0.6]), np.array([0.002, -0.003])
    for view in ('upright', 'mirrored'):
        linear = scene.jacobian(view, q).jacobian @ step
        np.testing.assert_allclose(linear, pool_to_cells(scene.flow(view, q, q + step), 4), atol=2e-3)


def test_recording_is_read_by_joint_name_and_view(toy: Embodiment, folder: Path) -> None:
    recording = read_recording(folder / 'toy_0.mcap', toy)
    assert len(recording) == 80
    assert recording.position.shape == (80, 2)
    for index in (0, 33, 79):
        for view in toy.view_names:
            # PNG is lossless: the picture must be the one drawn at the joints that were read with it.
            np.testing.assert_array_equal(recording.frames[view][index], ToyScene().picture(view, recording.position[index]))


@pytest.mark.parametrize(
    ('skip', 'text'), [('mirrored', 'no mirrored of robot toy'), ('joints', 'no joint states of robot toy'), ('upright', 'no upright')]
)
def test_recording_without_a_topic_is_refused(toy: Embodiment, tmp_path: Path, skip: str, text: str) -> None:
    write_recording(tmp_path / 'a.mcap', 0, seconds=1.0, skip=skip)
    with pytest.raises(ConfigError, match=f'{text}.*its topics are /'):
        read_recording(tmp_path / 'a.mcap', toy)


def test_recording_with_other_joint_names_is_refused(toy: Embodiment, tmp_path: Path) -> None:
    write_recording(tmp_path / 'a.mcap', 0, seconds=1.0, joint_names=('a', 'b'))
    with pytest.raises(ConfigError, match='no joint states of robot toy'):
        read_recording(tmp_path / 'a.mcap', toy)


@pytest.mark.parametrize('keep', [0, 3, 2000])
def test_truncated_recording_is_refused(toy: Embodiment, folder: Path, tmp_path: Path, keep: int) -> None:
    (tmp_path / 'a.mcap').write_bytes((folder / 'toy_0.mcap').read_bytes()[:keep])
    with pytest.raises(ConfigError, match=r'a\.mcap cannot be read'):
        read_recording(tmp_path / 'a.mcap', toy)


def test_empty_folder_and_too_few_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'no .*recording in .*vera collect'):
        find_recordings(tmp_path)
    with pytest.raises(ConfigError, match='2 recordings are too few'):
        split_recordings([Path('a.mcap'), Path('b.mcap')])


def test_split_keeps_recordings_apart_and_is_stable() -> None:
    paths = [Path(f'{number}.mcap') for number in range(40)]
    train, validation, held_out = split_recordings(paths)
    assert (len(train), len(validation), len(held_out)) == (36, 2, 2)
    assert sorted([*train, *validation, *held_out]) == sorted(paths)
    assert split_recordings(paths[::-1]) == (train, validation, held_out)


def test_pairs_move_as_far_as_asked(toy: Embodiment, folder: Path) -> None:
    recording = read_recording(folder / 'toy_1.mcap', toy)
    pairs = find_pairs(recording, np.random.default_rng(0), 30)
    assert len(pairs) == 30
    for start, end in pairs:
        assert STEP_RANGE[0] <= np.linalg.norm(recording.position[end] - recording.position[start]) <= STEP_RANGE[1]


def test_still_robot_gives_no_pairs(toy: Embodiment, tmp_path: Path) -> None:
    write_recording(tmp_path / 'a.mcap', 0, seconds=1.0, still=True)
    recording = read_recording(tmp_path / 'a.mcap', toy)
    assert find_pairs(recording, np.random.default_rng(0), 10) == []
    with pytest.raises(ConfigError, match='hold no pair of moments with enough motion'):
        evaluate_field(Exactly(1.0), [recording], toy, ToyScene(), DisFlow())


def test_labels_are_kept_for_the_next_run(toy: Embodiment, folder: Path, tmp_path: Path) -> None:
    recordings = [read_recording(folder / 'toy_2.mcap', toy)]
    first = label_moments(recordings, toy, ToyScene(), every=8, cache=tmp_path, report=_quiet)

    def never(recording: Recording) -> Any:
        raise AssertionError(f'{recording.path} is labelled already')

    second = label_moments(recordings, toy, never, every=8, cache=tmp_path, report=_quiet)
    np.testing.assert_array_equal(first.jacobian, second.jacobian)
    with pytest.raises(AssertionError, match='labelled already'):
        label_moments(recordings, toy, never, every=4, cache=tmp_path, report=_quiet)


class Exactly:
    """A model that answers with the exact field times a factor; it knows the joints, so it needs no picture."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def predict(self, frames: Any, position: np.ndarray) -> dict[str, JacobianField]:
        fields = {view: ToyScene().jacobian(view, position) for view in frames}
        return {view: dataclasses.replace(field, jacobian=self._factor * field.jacobian) for view, field in fields.items()}


@pytest.mark.parametrize(('factor', 'loss'), [(0.0, 1.0), (1.0, 0.0), (0.5, 0.25), (2.0, 1.0)])
def test_evaluation_scores_known_fields_as_worked_out_by_hand(toy: Embodiment, folder: Path, factor: float, loss: float) -> None:
    recordings = [read_recording(folder / f'toy_{seed}.mcap', toy) for seed in (3, 4)]
    figures = evaluate_field(Exactly(factor), recordings, toy, ToyScene(), DisFlow(), pairs=20, settings=SolveSettings(ridge=1.0))
    assert figures.pairs == 20
    assert figures.accuracy['all'].normalised_loss == pytest.approx(loss, abs=1e-5)
    assert figures.accuracy['all'].r2 == pytest.approx(1 - loss, abs=1e-5)
    recovered = figures.find('learned', 'exact', 2)
    if factor == 0:
        assert recovered.cosine == 0
        assert recovered.relative_error == 1
    else:
        # A field that is twice too large halves the joint step and keeps its direction.
        assert recovered.cosine > 0.98
        assert recovered.relative_error == pytest.approx(abs(1 / factor - 1), abs=0.15)
    assert figures.find('analytic', 'estimated', 2).cosine > 0.8
    assert [len(table.rows) for table in figures.tables()] == [3, 12]


def _train(toy: Embodiment, folder: Path, tmp_path: Path, steps: int, **changes: Any) -> Trained:
    options = TrainingOptions(minutes=steps / 60, batch=8, check_every_s=steps / 2, learning_rate=4e-3, **changes.pop('options', {}))
    labels = changes.pop('labels', ToyScene())
    losses = EXACT_LABELS if labels else ESTIMATED_LABELS
    return train_idm(
        toy,
        folder,
        tmp_path / 'work',
        tmp_path / 'weights',
        DisFlow(),
        labels=labels,
        recipe=Recipe(
            training=options,
            losses=losses.changed(changes.pop('weights', {})),
            data=DataOptions(moments=120, pairs=60),
        ),
        command='vera train idm --robot toy',
        report=_quiet,
        clock=changes.pop('clock', None) or Ticks(1.0),
        **changes,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_training_with_exact_labels_learns_and_its_weights_answer(toy: Embodiment, folder: Path, tmp_path: Path) -> None:
    lines: list[dict[str, float]] = []
    figures = _train(toy, folder, tmp_path, 70, observe=lambda progress, share, values: lines.append(values)).figures
    assert figures is not None
    assert figures.accuracy['all'].normalised_loss < 0.5
    assert figures.find('learned', 'exact', 2).cosine > 0.8
    assert any('field' in line and 'action' in line for line in lines)
    again = evaluate_idm(toy, folder, DisFlow(), ToyScene(), weights=tmp_path / 'weights', report=_quiet)
    assert again.recordings == figures.recordings
    assert again.accuracy['all'].normalised_loss == pytest.approx(figures.accuracy['all'].normalised_loss, abs=1e-4)
    assert LearnedField(toy, tmp_path / 'weights').predict({view: np.zeros((64, 64, 3), np.uint8) for view in toy.view_names}, toy.home)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_training_without_a_simulator_learns_from_estimated_flow(toy: Embodiment, folder: Path, tmp_path: Path) -> None:
    trained = _train(toy, folder, tmp_path, 70, labels=None)
    assert trained.figures is None
    assert 'unseen: flow' in trained.page.read_text()
    figures = evaluate_idm(toy, folder, DisFlow(), ToyScene(), weights=tmp_path / 'weights', report=_quiet)
    assert figures.accuracy['all'].r2 > 0.2
    assert figures.find('learned', 'estimated', 2).cosine > 0.6


def test_loss_without_labels_is_refused_before_anything_is_read(toy: Embodiment, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the loss 'field' needs exact labels"):
        _train(toy, tmp_path / 'nothing', tmp_path, 10, labels=None, weights={'field': 1.0})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_training_goes_on_where_it_was_stopped(toy: Embodiment, folder: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop_after(steps: int) -> Callable[..., None]:
        def observe(progress: Any, share: float, values: dict[str, float]) -> None:
            if progress.step >= steps and 'score' in values:
                raise Stop

        return observe

    with pytest.raises(Stop):
        _train(toy, folder, tmp_path / 'a', 16, observe=stop_after(5))
    seen: list[int] = []
    _train(toy, folder, tmp_path / 'a', 16, observe=lambda progress, share, values: seen.append(progress.step))
    assert seen[0] > 5
    with pytest.raises(ConfigError, match='belongs to another run: seed differ'):
        _train(toy, folder, tmp_path / 'a', 16, options={'seed': 4})
    (tmp_path / 'a' / 'work' / 'checkpoint.safetensors').write_bytes(b'half')
    with pytest.raises(ConfigError, match='cannot be read'):
        _train(toy, folder, tmp_path / 'a', 16)
