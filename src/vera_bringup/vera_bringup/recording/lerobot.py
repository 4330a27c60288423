# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`vera export lerobot`: recordings as a LeRobot data set, format v3.0.

Layout after huggingface/lerobot: all frames of all episodes in one parquet file, episodes and tasks in two more, one video per episode and view.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from vera_bringup.recording.episodes import Episode, episodes_of
from vera_bringup.recording.reader import OpenRecording
from vera_bringup.video import write_mp4
from vera_core.embodiment import Embodiment
from vera_core.errors import ConfigError
from vera_core.shapes import Array, FloatArray, RgbArray

VERSION = 'v3.0'
DATA = 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'
VIDEO = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4'
FILES_PER_CHUNK = 1000
STATISTICS_EVERY = 10
"""Of the pictures only every tenth goes into the statistics."""
_SCALARS = {'timestamp': 'float32', 'frame_index': 'int64', 'episode_index': 'int64', 'index': 'int64', 'task_index': 'int64'}
Statistics = dict[str, dict[str, Any]]


def export(paths: Sequence[Path], out: Path, *, robot: str = '', fps: int = 10) -> int:
    """Write the data set; returns the exit code.

    Raises:
        ConfigError: If the folder exists, pyarrow is missing, the recordings are of different robots, or hold no task.
    """
    if out.exists():
        raise ConfigError(f"the folder '{out}' exists already; a data set is written whole, choose another name")
    _pyarrow()
    episodes: list[Episode] = []
    embodiment: Embodiment | None = None
    for path in paths:
        recording = OpenRecording(path)
        this = recording.robot(robot)
        if embodiment is not None and this.joint_names != embodiment.joint_names:
            raise ConfigError(f"'{path}' is of robot {this.name}, the recordings before it of {embodiment.name}; export them apart")
        embodiment = this
        episodes += episodes_of(recording, this, fps=fps)
    if embodiment is None or not episodes:
        raise ConfigError('the recordings hold no task of at least a second; nothing was written')
    frames = write_dataset(episodes, embodiment, out, fps=fps)
    console = Console(soft_wrap=True, highlight=False)
    console.print(f'{out}: LeRobot {VERSION}, {len(episodes)} episode(s), {frames} frames at {fps} per second')
    return 0


def write_dataset(episodes: Sequence[Episode], robot: Embodiment, out: Path, *, fps: int) -> int:
    """Write all files and return the number of frames."""
    prompts = list(dict.fromkeys(episode.prompt for episode in episodes))
    columns: dict[str, list[Any]] = {name: [] for name in ('observation.state', 'action', *_SCALARS)}
    rows: list[dict[str, Any]] = []
    all_statistics: list[Statistics] = []
    sizes: dict[str, tuple[int, int]] = {}
    codec = ''
    for number, episode in enumerate(episodes):
        first, count = len(columns['index']), len(episode.state)
        task = prompts.index(episode.prompt)
        values: dict[str, Array] = {
            'observation.state': episode.state.astype(np.float32),
            'action': episode.action.astype(np.float32),
            'timestamp': (np.arange(count) / fps).astype(np.float32),
            'frame_index': np.arange(count),
            'episode_index': np.full(count, number),
            'index': np.arange(first, first + count),
            'task_index': np.full(count, task),
        }
        for name, array in values.items():
            columns[name] += array.tolist()
        statistics = {name: _statistics(array if array.ndim == 2 else array[:, None]) for name, array in values.items()}
        chunk, file = divmod(number, FILES_PER_CHUNK)
        row: dict[str, Any] = {
            'episode_index': number,
            'tasks': [episode.prompt],
            'length': count,
            'data/chunk_index': 0,
            'data/file_index': 0,
            'dataset_from_index': first,
            'dataset_to_index': first + count,
            'meta/episodes/chunk_index': 0,
            'meta/episodes/file_index': 0,
        }
        for view in robot.view_names:
            key = f'observation.images.{view}'
            path = out / VIDEO.format(video_key=key, chunk_index=chunk, file_index=file)
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures = [moment[view] for moment in episode.pictures()]
            height, width = pictures[0].shape[:2]
            codec = write_mp4(path, pictures, size=(width, height), fps=fps)
            sizes[view] = (height, width)
            statistics[key] = _picture_statistics(pictures)
            row |= {f'videos/{key}/chunk_index': chunk, f'videos/{key}/file_index': file}
            row |= {f'videos/{key}/from_timestamp': 0.0, f'videos/{key}/to_timestamp': count / fps}
        row |= {f'stats/{name}/{figure}': value for name, figures in statistics.items() for figure, value in figures.items()}
        rows.append(row)
        all_statistics.append(statistics)
    _write_parquet(out, columns, rows, prompts)
    (out / 'meta' / 'stats.json').write_text(json.dumps(_together(all_statistics), indent=4), encoding='utf-8')
    total = len(columns['index'])
    info = _info(robot, sizes, codec, fps=fps, episodes=len(episodes), frames=total, tasks=len(prompts))
    (out / 'meta' / 'info.json').write_text(json.dumps(info, indent=4), encoding='utf-8')
    return total


def _info(
    robot: Embodiment, sizes: Mapping[str, tuple[int, int]], codec: str, *, fps: int, episodes: int, frames: int, tasks: int
) -> dict[str, Any]:
    joints = {'dtype': 'float32', 'shape': [len(robot.joints)], 'names': list(robot.joint_names)}
    features: dict[str, Any] = {'observation.state': joints, 'action': joints}
    for view, (height, width) in sizes.items():
        about = {
            'video.height': height,
            'video.width': width,
            'video.codec': 'h264' if codec == 'libx264' else codec,
            'video.pix_fmt': 'yuv420p',
            'video.is_depth_map': False,
            'video.fps': fps,
            'video.channels': 3,
            'has_audio': False,
        }
        shape = [height, width, 3]
        features[f'observation.images.{view}'] = {'dtype': 'video', 'shape': shape, 'names': ['height', 'width', 'channels'], 'info': about}
    features |= {name: {'dtype': kind, 'shape': [1], 'names': None} for name, kind in _SCALARS.items()}
    return {
        'codebase_version': VERSION,
        'robot_type': robot.name,
        'total_episodes': episodes,
        'total_frames': frames,
        'total_tasks': tasks,
        'chunks_size': FILES_PER_CHUNK,
        'data_files_size_in_mb': 100,
        'video_files_size_in_mb': 200,
        'fps': fps,
        'splits': {'train': f'0:{episodes}'},
        'data_path': DATA,
        'video_path': VIDEO,
        'features': features,
    }


def _statistics(values: FloatArray) -> dict[str, Any]:
    """Return figures over the frames of values of shape (F, k)."""
    array = np.asarray(values, dtype=np.float64)
    figures = {'min': array.min(axis=0), 'max': array.max(axis=0), 'mean': array.mean(axis=0), 'std': array.std(axis=0)}
    return {name: figure.tolist() for name, figure in figures.items()} | {'count': [len(array)]}


def _picture_statistics(pictures: Sequence[RgbArray]) -> dict[str, Any]:
    """Return figures per colour, 0 to 1, each of shape (3, 1, 1)."""
    chosen = pictures[::STATISTICS_EVERY]
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in chosen]) / 255.0
    figures = _statistics(pixels)
    return {name: [[[value]] for value in figures[name]] for name in ('min', 'max', 'mean', 'std')} | {'count': [len(chosen)]}


def _together(parts: Sequence[Statistics]) -> Statistics:
    """Return the figures of all episodes from those of each."""
    whole: Statistics = {}
    for name in parts[0]:
        counts = np.array([part[name]['count'][0] for part in parts], dtype=np.float64)
        arrays = {figure: np.array([part[name][figure] for part in parts]) for figure in ('min', 'max', 'mean', 'std')}
        shares = (counts / counts.sum()).reshape(-1, *[1] * (arrays['mean'].ndim - 1))
        mean = (shares * arrays['mean']).sum(axis=0)
        variance = (shares * (arrays['std'] ** 2 + (arrays['mean'] - mean) ** 2)).sum(axis=0)
        figures = {'min': arrays['min'].min(axis=0), 'max': arrays['max'].max(axis=0), 'mean': mean, 'std': np.sqrt(variance)}
        whole[name] = {figure: array.tolist() for figure, array in figures.items()} | {'count': [int(counts.sum())]}
    return whole


def _write_parquet(out: Path, columns: Mapping[str, list[Any]], rows: Sequence[Mapping[str, Any]], prompts: Sequence[str]) -> None:
    pa, pq = _pyarrow()
    vector = pa.list_(pa.float32())
    kinds = {'float32': pa.float32(), 'int64': pa.int64()}
    table = pa.table({name: pa.array(values, kinds[_SCALARS[name]] if name in _SCALARS else vector) for name, values in columns.items()})
    data, episodes = out / DATA.format(chunk_index=0, file_index=0), out / 'meta' / 'episodes' / 'chunk-000' / 'file-000.parquet'
    for path in (data, episodes):
        path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, data)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), episodes)
    tasks = pa.table({'task_index': pa.array(range(len(prompts)), pa.int64()), '__index_level_0__': pa.array(prompts, pa.string())})
    pq.write_table(tasks.replace_schema_metadata({'pandas': json.dumps(_TASKS_SCHEMA)}), out / 'meta' / 'tasks.parquet')


# The sentences are the index of the table, which pandas finds in these words.
_TASKS_SCHEMA = {
    'index_columns': ['__index_level_0__'],
    'column_indexes': [],
    'columns': [
        {'name': 'task_index', 'field_name': 'task_index', 'pandas_type': 'int64', 'numpy_type': 'int64', 'metadata': None},
        {'name': None, 'field_name': '__index_level_0__', 'pandas_type': 'unicode', 'numpy_type': 'object', 'metadata': None},
    ],
    'pandas_version': '2.2.0',
}


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f'LeRobot data sets are parquet files, which need pyarrow ({error}); install it: pip install pyarrow') from error
    return pyarrow, pyarrow.parquet
