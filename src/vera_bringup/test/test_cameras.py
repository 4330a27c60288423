# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Calibration against rendered boards whose place is known exactly: within 1 mm, 0.1 degrees and 0.3 px."""

from __future__ import annotations

import dataclasses
import functools
import json

import cv2
import numpy as np
import pytest
import yaml

from vera_bringup.cameras.board import Board, BoardView, find_all
from vera_bringup.cameras.commands import ExtrinsicsRequest, calibrate, find_place, link_poses
from vera_bringup.cameras.extrinsics import board_pose_from_touch, extrinsics_of_held_board, extrinsics_of_lying_board
from vera_bringup.cameras.intrinsics import Intrinsics, calibrate_intrinsics, read_camera_info, write_camera_info
from vera_bringup.cameras.recording import Chooser
from vera_bringup.cameras.transforms import angle_rad, apply, from_vector, inverse, quat_xyzw, to_vector, transform
from vera_core.embodiment import load_embodiment
from vera_core.errors import ConfigError

BOARD = Board()
LENS = Intrinsics(
    size=(480, 360),
    matrix=np.array([[459.0, 0.0, 236.6], [0.0, 456.0, 183.0], [0.0, 0.0, 1.0]]),
    distortion=np.array([0.06, -0.11, 0.001, -0.0015, 0.02]),
)
SUBPIXELS = 2
TEXTURE_PX = 60


@functools.cache
def rays_of_the_lens() -> np.ndarray:
    """Where the rays of all subpixels go, on the plane z = 1 of the optical frame, shape (n, 3)."""
    offsets = (np.arange(SUBPIXELS) + 0.5) / SUBPIXELS - 0.5
    u, v = ((np.arange(count)[:, None] + offsets).ravel() for count in LENS.size)
    pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 1, 2)
    rays = cv2.undistortPoints(pixels, LENS.matrix, LENS.distortion).reshape(-1, 2)
    return np.column_stack([rays, np.ones(len(rays))])


def render(T_camera_board: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture of the board through the lens, every pixel the mean of 2 x 2 rays, on grey, with noise."""
    width, height = LENS.size
    rays = rays_of_the_lens()
    T_board_camera = inverse(T_camera_board)
    directions = rays @ T_board_camera[:3, :3].T
    scale = -T_board_camera[2, 3] / directions[:, 2]
    places = T_board_camera[:2, 3] + scale[:, None] * directions[:, :2]
    texture = BOARD.picture(TEXTURE_PX)
    maps = (places / BOARD.square_m * TEXTURE_PX - 0.5).reshape(height * SUBPIXELS, width * SUBPIXELS, 2).astype(np.float32)
    fine = cv2.remap(texture, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=150)
    grey = fine.reshape(height, SUBPIXELS, width, SUBPIXELS).mean(axis=(1, 3)) + rng.normal(0, 1.5, (height, width))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def board_before_camera(rng: np.random.Generator, distance_m: tuple[float, float], tilt_rad: float) -> np.ndarray:
    """A board somewhere in the picture, turned about all axes."""
    middle = np.append(np.array(BOARD.size_m) / 2, 0.0)
    pose = from_vector(np.concatenate([rng.uniform(-tilt_rad, tilt_rad, 3), np.zeros(3)]))
    depth = rng.uniform(*distance_m)
    pose[:3, 3] = [rng.uniform(-0.2, 0.2) * depth, rng.uniform(-0.14, 0.14) * depth, depth] - pose[:3, :3] @ middle
    return pose


@pytest.fixture(scope='module')
def lens_pictures() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {f'{index:02d}.png': render(board_before_camera(rng, (0.28, 0.5), 0.75), rng) for index in range(20)}


def test_corners_are_found_within_a_tenth_of_a_pixel():
    rng = np.random.default_rng(1)
    pose = board_before_camera(rng, (0.4, 0.5), 0.4)
    view = BOARD.find(render(pose, rng))
    assert view is not None
    exact = LENS.project(apply(pose, BOARD.corners[view.ids]))
    assert np.sqrt(np.mean(np.sum((view.pixels - exact) ** 2, axis=1))) < 0.1
    assert BOARD.find(np.full((360, 480, 3), 128, np.uint8)) is None


def test_the_lens_is_found_again(lens_pictures, tmp_path):
    views = find_all(lens_pictures, BOARD)
    assert len(views) >= 12
    report = calibrate_intrinsics(views, BOARD, LENS.size, pictures=len(lens_pictures))
    assert report.rms_px < 0.3
    found = report.intrinsics
    # What matters is where a point of the room appears, anywhere in the picture. A shift of the whole picture is next to the same as a camera
    # that is turned a little, which the extrinsics take up.
    rays = np.stack(np.meshgrid(np.linspace(-0.45, 0.45, 7), np.linspace(-0.34, 0.34, 7)), axis=-1).reshape(-1, 2)
    points = np.column_stack([rays, np.ones(len(rays))])
    off = found.project(points) - LENS.project(points)
    assert np.linalg.norm(off - off.mean(axis=0), axis=1).mean() < 0.3
    assert np.linalg.norm(off.mean(axis=0)) < 1.5
    assert abs(found.matrix[0, 0] - 459.0) < 2.0
    path = tmp_path / 'info' / 'front.yaml'
    write_camera_info(path, 'front', found)
    again = read_camera_info(path)
    assert again.size == found.size
    assert np.allclose(again.matrix, found.matrix, atol=1e-8)
    assert np.allclose(again.distortion, found.distortion, atol=1e-8)


def test_a_blurred_picture_is_left_out_and_named(lens_pictures):
    views = dict(find_all(lens_pictures, BOARD))
    name = sorted(views)[0]
    spoiled = views[name].pixels + np.random.default_rng(0).normal(0, 4.0, views[name].pixels.shape)
    views[name] = type(views[name])(ids=views[name].ids, pixels=spoiled)
    assert calibrate_intrinsics(views, BOARD, LENS.size, pictures=20).left_out == (name,)


def test_too_little_to_see_is_told_in_words(lens_pictures):
    few = dict(list(find_all(lens_pictures, BOARD).items())[:4])
    with pytest.raises(ConfigError, match='at least 8 pictures .*; 4 of 20 do'):
        calibrate_intrinsics(few, BOARD, LENS.size, pictures=20)
    with pytest.raises(ConfigError, match='different sizes'):
        find_all({'a': np.zeros((4, 4, 3), np.uint8), 'b': np.zeros((5, 4, 3), np.uint8)}, BOARD)
    with pytest.raises(ConfigError, match='a square of 35 m cannot be'):
        Board(square_m=35)


CAMERA = from_vector(np.array([-1.6, 0.7, -0.5, 0.9, -0.4, 0.55]))
HELD = from_vector(np.array([0.1, -0.2, 1.5, 0.03, -0.05, 0.11]))


def held_pictures(count: int = 14) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Pictures of the held board, and T_base_link of each."""
    rng = np.random.default_rng(5)
    pictures, links = {}, {}
    for index in range(count):
        T_camera_board = board_before_camera(rng, (0.45, 0.75), 0.5)
        name = f'{index:02d}.png'
        pictures[name] = render(T_camera_board, rng)
        links[name] = CAMERA @ T_camera_board @ inverse(HELD)
    return pictures, links


def test_the_camera_is_found_from_a_held_board():
    pictures, links = held_pictures()
    found = extrinsics_of_held_board(find_all(pictures, BOARD), links, BOARD, LENS, pictures=len(pictures))
    off = inverse(CAMERA) @ found.T_base_camera
    assert np.linalg.norm(off[:3, 3]) < 1e-3
    assert np.degrees(angle_rad(off)) < 0.1
    assert np.linalg.norm((inverse(HELD) @ found.T_link_board)[:3, 3]) < 1e-3
    assert found.rms_px < 0.3
    # Joint positions that are not those of the pictures do not go unnoticed.
    shuffled = dict(zip(links, [*list(links.values())[1:], links['00.png']], strict=True))
    with pytest.raises(ConfigError, match='are the joint positions those of the picture'):
        extrinsics_of_held_board(find_all(pictures, BOARD), shuffled, BOARD, LENS, pictures=len(pictures))


def test_a_board_that_was_hardly_turned_is_refused():
    view = BOARD.find(render(board_before_camera(np.random.default_rng(1), (0.4, 0.5), 0.3), np.random.default_rng(2)))
    about_z = {f'{i}': from_vector(np.array([0, 0, 0.1 * i, 0.1 * i, 0, 0])) for i in range(9)}
    with pytest.raises(ConfigError, match='about one axis alone'):
        extrinsics_of_held_board(dict.fromkeys(about_z, view), about_z, BOARD, LENS, pictures=9)


def test_the_camera_is_found_from_a_lying_board():
    rng = np.random.default_rng(8)
    T_camera_board = board_before_camera(rng, (0.5, 0.6), 0.4)
    T_base_board = CAMERA @ T_camera_board
    view = BOARD.find(render(T_camera_board, rng))
    off = inverse(CAMERA) @ extrinsics_of_lying_board(view, T_base_board, BOARD, LENS).T_base_camera
    # One picture leaves the tilt of the board less certain: at half a metre 0.1 degrees are 0.9 mm.
    assert np.linalg.norm(off[:3, 3]) < 2e-3
    assert np.degrees(angle_rad(off)) < 0.2
    width, height = BOARD.size_m
    touched = apply(T_base_board, np.array([[0, 0, 0], [width, 0, 0], [0, height, 0]]))
    assert np.allclose(board_pose_from_touch(list(touched)), T_base_board, atol=1e-9)
    with pytest.raises(ConfigError, match='instead of 90'):
        board_pose_from_touch([touched[0], touched[1], touched[1] + 0.01])
    with pytest.raises(ConfigError, match='0 of 1 do'):
        extrinsics_of_lying_board(None, T_base_board, BOARD, LENS)


def test_transforms_are_consistent():
    vector = np.array([0.3, -0.8, 1.1, 0.1, 0.2, 0.3])
    pose = from_vector(vector)
    assert np.allclose(to_vector(pose), vector)
    assert np.allclose(inverse(pose) @ pose, np.eye(4))
    assert np.isclose(angle_rad(pose), np.linalg.norm(vector[:3]))
    half_turn = transform(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))
    assert np.allclose(quat_xyzw(half_turn), [0, 0, 1, 0])


@pytest.mark.parametrize('text', ['a: [', 'image_width: 3', '[]', 'distortion_model: equidistant'])
def test_a_file_that_is_no_calibration_is_refused(text, tmp_path):
    path = tmp_path / 'x.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_camera_info(path)


# -- the commands --------------------------------------------------------------------------------------------------------


def test_from_folders_of_pictures_to_files(tmp_path, lens_pictures, capsys):
    """The whole way of a user: pictures of a lens, pictures with joints, files."""
    for name, picture in lens_pictures.items():
        cv2.imwrite(str(tmp_path / name), picture)
    info = tmp_path / 'front.yaml'
    assert calibrate('panda', 'front', tmp_path, BOARD, info) == 0
    assert 'corners 0.0' in capsys.readouterr().out
    robot = load_embodiment('panda')
    rng = np.random.default_rng(4)
    folder = tmp_path / 'held'
    folder.mkdir()
    joints = {}
    # The camera is where it sees the hand of the home pose from 0.7 m, and the board is on the hand.
    home = link_poses(robot, 'panda_hand', {'h': dict(zip(robot.joint_names, robot.home, strict=True))})['h']
    T_camera_hand = from_vector(np.array([0.2, -0.3, 0.1, 0.0, 0.0, 0.7]))
    camera = home @ inverse(T_camera_hand)
    held = transform(np.eye(3), -np.append(np.array(BOARD.size_m) / 2, 0.0))
    for index in range(12):
        pose = robot.home + rng.uniform(-0.3, 0.3, 7) * [0.2, 0.2, 0.3, 0.3, 1.2, 1.2, 2.0]
        name = f'{index:02d}.png'
        joints[name] = {joint: float(value) for joint, value in zip(robot.joint_names, pose, strict=True)}
        link = link_poses(robot, 'panda_hand', {name: joints[name]})[name]
        cv2.imwrite(str(folder / name), render(inverse(camera) @ link @ held, rng))
    (folder / 'joints.json').write_text(json.dumps(joints))
    exact = tmp_path / 'exact.yaml'
    write_camera_info(exact, 'front', LENS)
    request = ExtrinsicsRequest(
        robot='panda', view='front', folder=folder, link='panda_hand', board=BOARD, info=exact, out=tmp_path / 'cameras.yaml'
    )
    assert find_place(request) == 0
    assert 'static_transform_publisher --x' in capsys.readouterr().out
    place = yaml.safe_load((tmp_path / 'cameras.yaml').read_text())['front']
    assert place['parent'] == 'panda_link0'
    assert np.linalg.norm(np.array(place['position']) - camera[:3, 3]) < 1e-3
    assert abs(np.dot(place['quat_xyzw'], quat_xyzw(camera))) > np.cos(np.deg2rad(0.1) / 2)
    with pytest.raises(ConfigError, match="no link 'panda_hnd'.*Did you mean 'panda_hand'"):
        find_place(dataclasses.replace(request, link='panda_hnd'))
    with pytest.raises(ConfigError, match="has no view 'frnt'.*Did you mean 'front'"):
        find_place(dataclasses.replace(request, view='frnt'))
    (folder / 'joints.json').write_text('{}')
    with pytest.raises(ConfigError, match='has to give the joint positions of every picture'):
        find_place(request)
    with pytest.raises(ConfigError, match='has no .png or .jpg pictures'):
        calibrate('panda', 'front', tmp_path / 'nothing', BOARD, None)


def test_a_picture_is_kept_when_the_board_rests_in_a_new_place():
    ids = np.arange(24)
    places = [np.random.default_rng(1).uniform(0, 300, (24, 2)) + shift for shift in (0.0, 0.0, 0.1, 60.0, 60.0, 60.1)]
    chooser = Chooser()
    assert [chooser.wants(BoardView(ids=ids, pixels=place)) for place in places] == [False, True, False, False, True, False]
    assert not chooser.wants(None)
