# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The diffusers planner on tiny random models that are saved and loaded without a network."""

from __future__ import annotations

import builtins
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip('diffusers')

import tiny_models
from wan_reference import random_weights, wan

from vera_core.errors import ConfigError, ModelContractError, PlanningError
from vera_planner.backends.canvas import make_canvas
from vera_planner.backends.diffusers_families import FAMILIES
from vera_planner.backends.diffusers_planner import DiffusersPlanner
from vera_planner.registry import make_planner
from vera_planner.vera_wan.checkpoint import open_checkpoint
from vera_planner.vera_wan.convert import convert_checkpoint, main
from vera_planner.vera_wan.page import WanPage, read_page
from vera_planner.vera_wan.pipeline import published_sigmas

pytestmark = pytest.mark.filterwarnings('ignore')  # the packages' own


@pytest.fixture(scope='module', autouse=True)
def offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('HF_HUB_OFFLINE', '1')
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp('models')
    return {
        'wan_t2v': tiny_models.save_wan_t2v(folder / 'wan_t2v'),
        'wan_i2v': tiny_models.save_wan_i2v(folder / 'wan_i2v'),
        'wan_ti2v': tiny_models.save_wan_ti2v(folder / 'wan_ti2v'),
        'ltx': tiny_models.save_ltx(folder / 'ltx'),
    }


# Pipelines of diffusers.


@pytest.mark.parametrize(
    ('kind', 'given', 'used', 'horizon'),
    [('wan_i2v', 3, 1, 8), ('wan_ti2v', 3, 1, 8), ('wan_t2v', 7, 5, 4), ('wan_t2v', 1, 1, 4), ('ltx', 10, 9, 7), ('ltx', 3, 1, 8)],
)
def test_plan_goes_on_from_as_many_real_frames_as_the_family_takes(models, robot, order, kind, given, used, horizon):
    planner = make_planner('diffusers', robot=robot, model=str(models[kind]), steps=2, horizon=horizon)
    request = order(length=given)
    plan = planner.plan(request)
    assert (plan.horizon, plan.context_len, plan.step_dt_s) == (horizon, used, 0.3)
    for view in robot.view_names:
        assert plan.frames[view].shape == (horizon + 1, 32, 32, 3)
        np.testing.assert_array_equal(plan.frames[view][0], request.context[view][-1].rgb)
    assert 0.5 < request.watch.progress < 1.0
    assert FAMILIES[json.loads((models[kind] / 'model_index.json').read_text())['_class_name']].title in planner.name
    again = planner.plan(order(length=given))
    other = planner.plan(order(length=given, seed=1))
    view = robot.view_names[0]
    np.testing.assert_array_equal(again.frames[view], plan.frames[view])
    assert not np.array_equal(other.frames[view], plan.frames[view])


def test_sentence_and_real_frames_both_matter(models, robot, order):
    planner = DiffusersPlanner(robot, str(models['wan_t2v']), steps=3, horizon=4, guidance=5.0)
    base, view = planner.plan(order(length=5)), robot.view_names[0]
    sentence = planner.plan(order(length=5, prompt='0 9 0 9 z'))
    assert not np.array_equal(sentence.frames[view], base.frames[view])
    shown = order(length=5)
    changed = {name: (replace(frames[0], rgb=255 - frames[0].rgb), *frames[1:]) for name, frames in shown.context.items()}
    assert not np.array_equal(planner.plan(replace(shown, context=changed)).frames[view], base.frames[view])


def test_cancelled_dream_ends_at_the_next_step(models, robot, order):
    planner = DiffusersPlanner(robot, str(models['wan_i2v']), steps=2, horizon=4)
    request = order()
    request.watch.cancel()
    with pytest.raises(PlanningError, match='the dream was cancelled at 33%'):
        planner.plan(request)


def test_canvas_holds_every_view_and_gives_it_back(robot, order):
    canvas = make_canvas(robot.view_names, (32, 32), 64, 192, multiple=32, tiles=3)
    request = order(length=4)
    pictures = canvas.put(request.context, 3)
    assert pictures.shape == (3, 64, 192, 3) and not pictures[:, :, 128:].any()
    same = make_canvas(robot.view_names, (32, 32), 0, 0, multiple=32)
    back = same.take(same.put(request.context, 2))
    for view in robot.view_names:
        np.testing.assert_array_equal(back[view], np.stack([frame.rgb for frame in request.context[view][-2:]]))
    for size, words in (((30, 64), 'multiple of 32'), ((32, 96), 'its width of 64')):
        with pytest.raises(ConfigError, match=words):
            make_canvas(robot.view_names, (32, 32), *size, multiple=32)
    with pytest.raises(ConfigError, match='2 views, the model was made for 1'):
        make_canvas(robot.view_names, (32, 32), 0, 0, multiple=32, tiles=1)


def test_context_is_never_filled_up():
    ltx, wan_text = FAMILIES['LTXConditionPipeline'], FAMILIES['WanPipeline']
    assert [ltx.context_len(count) for count in (1, 8, 9, 16, 17, 500)] == [1, 1, 9, 9, 17, 57]
    assert [wan_text.context_len(count) for count in (1, 4, 5, 500)] == [1, 1, 5, 41]
    assert wan_text.video_len(5, 4) == 9 and wan_text.video_len(5, 5) == 13 and ltx.video_len(1, 8) == 9


# What is wrong with a folder, in words.


def test_missing_package_is_named_with_the_command(robot, models, monkeypatch):
    whole = builtins.__import__
    monkeypatch.setattr(
        'importlib.import_module',
        lambda name, *rest: (_ for _ in ()).throw(ImportError('No module named diffusers')) if name == 'diffusers' else whole(name),
    )
    with pytest.raises(ConfigError, match="needs the packages diffusers, accelerate and ftfy.*pip install 'diffusers"):
        DiffusersPlanner(robot, str(models['wan_t2v']))


@pytest.mark.parametrize(
    ('model', 'words'),
    [
        ('', "no model is named; set the parameter 'model'"),
        ('/no/such/folder', "model folder '/no/such/folder' does not exist"),
        ('Wan-AI/no-such-model', "'Wan-AI/no-such-model' is not on this machine.*allow_download"),
    ],
)
def test_model_that_is_not_there(robot, model, words):
    with pytest.raises(ConfigError, match=words):
        DiffusersPlanner(robot, model)


class Bomb:
    def __reduce__(self):
        return (builtins.exec, ("raise SystemExit('code of the file was run')",))


def copy_of(source, target):
    import shutil

    shutil.copytree(source, target)
    return target


def test_folder_that_cannot_be_used_is_refused_and_nothing_in_it_runs(robot, models, tmp_path):
    empty = tmp_path / 'empty'
    empty.mkdir()
    cut = copy_of(models['wan_t2v'], tmp_path / 'cut')
    weights = cut / 'transformer' / 'diffusion_pytorch_model.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1000])
    pickled = copy_of(models['wan_t2v'], tmp_path / 'pickled')
    (pickled / 'transformer' / 'diffusion_pytorch_model.safetensors').unlink()
    (pickled / 'transformer' / 'diffusion_pytorch_model.bin').write_bytes(pickle.dumps(Bomb()))
    renamed = copy_of(models['wan_t2v'], tmp_path / 'renamed')
    (renamed / 'transformer' / 'diffusion_pytorch_model.safetensors').write_bytes(pickle.dumps(Bomb()))
    lost = copy_of(models['wan_t2v'], tmp_path / 'lost')
    (lost / 'vae' / 'diffusion_pytorch_model.safetensors').unlink()
    folders = {
        empty: 'no model_index.json',
        cut: 'cannot be loaded',
        pickled: 'is a pickled file.*only safetensors',
        renamed: 'cannot be loaded',
        lost: 'cannot be loaded',
    }
    for name, change in {
        'own code': {'transformer': ['my_model', 'Network']},
        'listed class': {'_class_name': ['pipeline.py', 'WanPipeline']},
        'other family': {'_class_name': 'StableDiffusionPipeline'},
    }.items():
        folder = copy_of(models['wan_t2v'], tmp_path / name)
        index = json.loads((folder / 'model_index.json').read_text())
        (folder / 'model_index.json').write_text(json.dumps(index | change))
        (folder / 'my_model.py').write_text('raise SystemExit')
        folders[folder] = {
            'own code': "takes its transformer from 'my_model'",
            'listed class': 'never run',
            'other family': "pipeline 'StableDiffusionPipeline' is none",
        }[name]
    file = tmp_path / 'model.ckpt'
    file.write_bytes(pickle.dumps(Bomb()))
    folders[file] = 'is a file.*vera_wan.convert'
    for folder, words in folders.items():
        with pytest.raises(ModelContractError, match=words):
            DiffusersPlanner(robot, str(folder))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'device': 'tpu'}, "device is 'tpu'"),
        ({'dtype': 'int4'}, "unknown dtype 'int4'; known: auto, bfloat16, float16, float32"),
        ({'offload': 'modle'}, "Did you mean 'model'"),
        ({'device': 'cpu', 'offload': 'model'}, 'with device cpu use none'),
        ({'steps': -1}, 'steps is -1'),
        ({'horizon': 10**6}, 'horizon 1000000'),
        ({'canvas_height': 33}, 'must be a multiple of 16'),
    ],
)
def test_parameter_that_does_not_fit(robot, models, changes, words):
    with pytest.raises(ConfigError, match=words):
        DiffusersPlanner(robot, str(models['wan_t2v']), **changes)


# VERA's released weights.

WIDTH, HEADS = 24, 2


def save_checkpoint(path, weights, prefix='model.model._orig_mod.'):
    state = {f'{prefix}{name}': torch.nn.Parameter(value) if 'bias' in name else value for name, value in weights.items()}
    torch.save({'state_dict': state, 'epoch': 3, 'config': Bomb(), 'callbacks': {'x': [Bomb()]}}, path)
    return path


@pytest.fixture(scope='module', params=['t2v', 'i2v'])
def release(request, tmp_path_factory):
    """A checkpoint as VERA publishes them, with random numbers; converted, beside its frozen parts."""
    folder = tmp_path_factory.mktemp(request.param)
    image = 32 if request.param == 'i2v' else 0
    weights = random_weights(width=WIDTH, heads=HEADS, layers=2, hidden=40, channels=36 if image else 16, text=32, image=image)
    base = tiny_models.save_wan_base(folder / 'base', image=bool(image))
    page = WanPage(base=str(base), context_latents=3, future_latents=2, tiles=3, canvas=(32, 96), steps=3)
    convert_checkpoint(save_checkpoint(folder / 'video_model.ckpt', weights), folder / 'model', page, head_width=WIDTH // HEADS)
    return folder / 'model', weights, page


@torch.no_grad()
def test_converted_network_equals_the_published_equations(release, robot):
    folder, weights, _ = release
    model = DiffusersPlanner(robot, str(folder))._pipeline
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 16, 5, 4, 12, generator=generator)
    text = model.encode_text('touch the red cube')
    assert text.shape == (1, 512, 32) and text[0, :4].abs().sum() > 0 and not text[0, 40:].any()
    image = torch.randn(1, 5, 32, generator=generator) if model.image_encoder is not None else None
    times = torch.tensor([71.0, 71.0, 71.0, 938.0, 938.0])
    ours = model.velocity(latents, times, text, image)
    wanted = wan(
        weights,
        torch.cat([latents, latents.new_zeros(1, 20, 5, 4, 12)], 1) if image is not None else latents,
        times,
        text,
        image,
        heads=HEADS,
    )
    assert wanted.abs().mean() > 0.1
    assert (ours - wanted).abs().max() <= 1e-5
    # The noise level of each frame matters, and so does the padding of the sentence.
    flat = model.velocity(latents, torch.full((5,), 938.0), text, image)
    assert (flat - wanted).abs().max() > 1e-3


def test_plan_of_released_weights_from_one_to_all_context_frames(release, robot, order):
    folder, _, _ = release
    planner = make_planner('diffusers', robot=robot, model=str(folder))
    for given, used in ((1, 1), (8, 5), (20, 9)):
        plan = planner.plan(order(length=given))
        assert (plan.horizon, plan.context_len) == (8, used)
    assert 'VERA Wan 3+2 latents' in planner.name
    short = make_planner('diffusers', robot=robot, model=str(folder), horizon=3).plan(order())
    assert short.horizon == 3
    with pytest.raises(ConfigError, match='horizon is 9 frames, the weights were trained for 8'):
        make_planner('diffusers', robot=robot, model=str(folder), horizon=9).plan(order())


@torch.no_grad()
def test_guidance_by_text_and_by_history_follows_its_equation(release, robot, monkeypatch):
    """With a network that returns its label, the velocity is (1 + l + h) v - l v(negative) - h v(no history): 1 6 - 3 2 - 2 5 -> 6*1 ... by hand below."""
    from vera_planner.backends.diffusers_families import DreamOrder
    from vera_planner.vera_wan import pipeline

    folder, _, _ = release
    model = DiffusersPlanner(robot, str(folder))._pipeline
    calls, steps = [], []

    def velocity(self, latents, times, text, image):
        calls.append((times.tolist(), latents[:, :, :2].clone()))
        # text: 1, negative text: 2, history of noise: 5
        value = 5.0 if times[0] > 900 else (2.0 if text is negative else 1.0)
        return torch.full_like(latents, value)

    texts = {}

    def encode_text(self, sentence):
        return texts.setdefault(sentence, torch.zeros(1, 512, 32))

    negative = texts.setdefault('bad', torch.zeros(1, 512, 32))
    monkeypatch.setattr(pipeline.VeraWan, 'velocity', velocity)
    monkeypatch.setattr(pipeline.VeraWan, 'encode_text', encode_text)
    scheduler = pipeline._scheduler(3.0)
    inner = scheduler.step
    monkeypatch.setattr(scheduler, 'step', lambda v, *rest, **named: steps.append(v.clone()) or inner(v, *rest, **named))
    monkeypatch.setattr(pipeline, '_scheduler', lambda shift: scheduler)
    context = np.random.default_rng(0).integers(0, 255, (5, 32, 96, 3), dtype=np.uint8)
    pipeline.dream(
        model,
        DreamOrder(
            context=context, prompt='go', negative_prompt='bad', horizon=8, steps=3, guidance=3.0, seed=0, on_step=lambda share: None
        ),
    )
    # (1 + 3 + 2) 1 - 3 2 - 2 5 = -10
    assert len(steps) == 3 and all((v == -10.0).all() and v.shape[2] == 2 for v in steps)
    assert len(calls) == 9
    known = model.encode_frames(context)
    first, last = scheduler.timesteps[0], scheduler.timesteps[-1]
    for step in range(3):
        with_text, with_negative, forgotten = calls[3 * step : 3 * step + 3]
        now = float(scheduler.timesteps[step])
        assert with_text[0] == [last, last, now, now] == with_negative[0] and forgotten[0] == [first, first, now, now]
        torch.testing.assert_close(with_text[1], known)
        assert not torch.allclose(forgotten[1], known)


def test_noise_levels_are_the_published_ones():
    from vera_planner.vera_wan.pipeline import _scheduler

    scheduler = _scheduler(3.0)
    scheduler.set_timesteps(sigmas=published_sigmas(40))
    # s = 0.999 / 40 at the end: 3 s / (1 + 2 s) = 0.0714, of 1000 steps: 71; at the start 0.99967: 999.
    assert (int(scheduler.timesteps[0]), int(scheduler.timesteps[-1]), len(scheduler.timesteps)) == (999, 71, 40)


def test_weights_trained_without_text_ignore_it_and_take_one_pass(tmp_path, robot, order):
    base = tiny_models.save_wan_base(tmp_path / 'base', image=False)
    weights = random_weights(width=WIDTH, heads=HEADS, layers=1, hidden=40, channels=16, text=32)
    page = WanPage(base=str(base), context_latents=2, future_latents=1, canvas=(32, 96), steps=2, uses_text=False)
    convert_checkpoint(save_checkpoint(tmp_path / 'a.ckpt', weights), tmp_path / 'm', page, head_width=12)
    planner = make_planner('diffusers', robot=robot, model=str(tmp_path / 'm'))
    one, two = (planner.plan(order(prompt=prompt)) for prompt in ('go left', 'go right'))
    np.testing.assert_array_equal(one.frames[robot.view_names[0]], two.frames[robot.view_names[0]])


# Reading a checkpoint runs nothing in it.


def test_checkpoint_is_read_without_running_its_code(tmp_path):
    weights = {
        'a.weight': torch.randn(3, 4),
        'b': torch.randn(6).half(),
        'c': torch.arange(4),
        'd': torch.randn(4, 6).T[1:, ::2].bfloat16(),
    }
    path = save_checkpoint(tmp_path / 'x.ckpt', weights)
    with pytest.raises(SystemExit, match='code of the file was run'):
        torch.load(path, weights_only=False)  # what an ordinary reader does
    with open_checkpoint(path) as tensors:
        assert set(tensors) == set(weights)
        for name, value in weights.items():
            torch.testing.assert_close(tensors[name], value, rtol=0, atol=0)


def test_file_that_is_no_checkpoint_is_refused(tmp_path, capsys):
    good = save_checkpoint(tmp_path / 'x.ckpt', {'a': torch.zeros(50)}).read_bytes()
    for name, data in {
        'cut': good[: len(good) // 2],
        'pickle': pickle.dumps(Bomb()),
        'nothing': b'',
        'noise': bytes(range(256)) * 9,
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ModelContractError, match='is no torch checkpoint that can be read|holds no t'), open_checkpoint(path):
            pass
    torch.save({'state_dict': {'n': 1}}, tmp_path / 'empty')
    with pytest.raises(ModelContractError, match='holds no tensors'), open_checkpoint(tmp_path / 'empty'):
        pass
    command = [str(tmp_path / 'x.ckpt'), str(tmp_path / 'out'), '--base', 'b', '--context-latents', '4', '--future-latents', '4']
    assert main(command) == 2
    assert 'is no Wan transformer: it has no tensor' in capsys.readouterr().err


def test_page_that_cannot_be_used_is_refused(release, tmp_path):
    folder, _, page = release
    assert read_page(folder) == page
    good = json.loads((folder / 'vera_planner.json').read_text())
    for change in ({'format': 9}, {'steps': 0}, {'canvas': [1]}, {'colour': 1}, {'base': None, 'steps': 'x'}):
        (tmp_path / 'vera_planner.json').write_text(json.dumps(good | change))
        with pytest.raises(ModelContractError, match='vera_planner.json'):
            read_page(tmp_path)
