# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest

from vera_bringup import cli

COMMANDS = ('up', 'demo', 'evaluate', 'prompt', 'collect', 'train', 'evaluate-idm', 'evaluate-planner', 'doctor', 'robot')


def vera(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'vera_bringup.cli', *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=None)


def test_help_lists_every_command_and_loads_nothing_heavy():
    code = 'import sys, vera_bringup.cli; print([name for name in ("rclpy", "torch", "mujoco", "cv2", "av", "onnxruntime") if name in sys.modules])'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.strip() == '[]'
    answer = vera('--help')
    assert answer.returncode == 0
    assert [command for command in COMMANDS if command not in answer.stdout] == []


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (
            ('up', 'panda_sin'),
            "unknown system 'panda_sin'; known: allegro_real, allegro_sim, panda_mock, panda_real, panda_sim. Did you mean 'panda_sim'?",
        ),
        (
            ('up', '--robot', 'pandaa'),
            "unknown robot 'pandaa'; known: allegro, finger_1, finger_16, fr3, panda, panda_gripper. Did you mean 'panda'?",
        ),
        (('up', 'panda_real', 'robot_type:=fr4'), "argument robot_type cannot be 'fr4'; known: fer, fr3, panda. Did you mean 'fr3'?"),
        (('up', 'panda_sim', 'planner=recorded'), "'planner=recorded' is not an argument; write NAME:=VALUE"),
        (
            ('evaluate', '--robot', 'pand'),
            "unknown robot 'pand'; known: allegro, finger_1, finger_16, fr3, panda, panda_gripper. Did you mean 'panda'?",
        ),
        (('evaluate', '--task', 'reech'), "unknown task 'reech'; known: follow, pick, push, reach, rotate, stack. Did you mean 'reach'?"),
        (('evaluate', '--task', 'follow', '--field', 'lerned'), "Did you mean 'learned'?"),
        (('robot', 'add', 'nowhere.urdf'), "robot description 'nowhere.urdf' does not exist"),
        (
            ('evaluate', '--planner', 'embeded'),
            "unknown planner 'embeded'; known: diffusers, embedded, recorded, remote, video_api. Did you mean 'embedded'?",
        ),
        (('train', 'idm', '--head', 'lnks'), "unknown head 'lnks'; known: links, pretrained, unet. Did you mean 'links'?"),
        (
            ('train', 'idm', '--head', 'pretrained'),
            "head 'pretrained' with backbone None; head 'pretrained', and no other, needs one: --backbone",
        ),
        (('evaluate', '--seed', '-1'), 'need episodes >= 1 and seed >= 0'),
        (('demo', '--prompt', 'dance'), "which object is 'dance' about? Give it with --target, one of red_cube"),
        (
            ('demo', '--planner', 'recordet'),
            "argument planner cannot be 'recordet'; known: diffusers, embedded, recorded, remote, video_api. Did you mean 'recorded'?",
        ),
        (('demo', '--robot', 'nowhere.yaml'), "robot file 'nowhere.yaml' does not exist"),
        (('train', 'idm', '--labels', 'exakt'), "unknown labels 'exakt'; known: estimated, exact. Did you mean 'exact'?"),
        (
            ('train', 'idm', '--weight', 'cicle=1'),
            "unknown loss 'cicle'; known: action, cycle, field, flow, halves, inverse, smooth, there_and_back, trust.",
        ),
        (('train', 'idm', '--precision', 'half'), "unknown precision 'half'; known: bf16, fp32."),
        (
            ('collect', '--robot', 'pandaa'),
            "unknown robot 'pandaa'; known: allegro, finger_1, finger_16, fr3, panda, panda_gripper. Did you mean 'panda'?",
        ),
    ],
)
def test_a_wrong_name_is_told_in_words_with_exit_code_2(arguments, words, monkeypatch, capsys):
    # In this process: loading torch for each of them would take minutes. What a shell sees is shown by the first and the last of these tests.
    monkeypatch.setattr(sys, 'argv', ['vera', *arguments])
    monkeypatch.setenv('ROS_DOMAIN_ID', '99')
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 2
    assert words in capsys.readouterr().err


def test_unknown_command_ends_with_exit_code_2():
    answer = vera('evaluat')
    assert answer.returncode == 2
    assert 'evaluat' in answer.stderr


def test_what_can_be_corrected_ends_the_process_with_exit_code_2_and_a_sentence():
    answer = vera('up', 'panda_sin')
    assert answer.returncode == 2
    assert answer.stderr.startswith("vera: unknown system 'panda_sin'")
    assert 'Traceback' not in answer.stderr
