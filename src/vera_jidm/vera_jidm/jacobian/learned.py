# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The learned field at run time: ONNX Runtime on one thread, or torch where there is no graph."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from vera_core.embodiment import Embodiment
from vera_core.errors import ModelContractError
from vera_core.shapes import Array, FloatArray, RgbArray
from vera_core.types import JacobianField
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.model import checked_picture, checked_position
from vera_jidm.jacobian.weights import GRAPH, RETRAIN, WEIGHTS, check_tensors, field_folder, read_config, read_tensors

Backend = Literal['auto', 'onnx', 'torch']

_LOG = logging.getLogger(__name__)


class Engine(Protocol):
    """Runs the network on all views at once: pictures, joints and view numbers in; field and trust out."""

    def __call__(self, picture: FloatArray, position: FloatArray, view: Array) -> tuple[FloatArray, FloatArray]:
        """Return jacobian (V, h, w, 2, n) and confidence (V, h, w) for picture (V, 3, H, W), position (V, n) and view (V,)."""
        ...


class LearnedField:
    """The trained Jacobian field of one robot. Implements JacobianModel.

    Args:
        robot: Whose joints, views and picture size the weights must match.
        folder: Where the weights are; the shipped ones when left out.
        backend: Run time; `torch` needs torch, `onnx` does not. `auto` is ONNX Runtime, or torch for a field without a graph.

    Raises:
        ModelContractError: If the weights are missing, cut short, damaged or made for something else; says what and what to do.
    """

    def __init__(self, robot: Embodiment, folder: Path | None = None, *, backend: Backend = 'auto') -> None:
        folder = folder or field_folder(robot)
        config = read_config(folder)
        config.check_robot(robot, source=str(folder))
        tensors = read_tensors(folder / WEIGHTS)
        if backend == 'auto' and not (folder / GRAPH).is_file():
            _LOG.warning('%s has no %s; the field runs in torch, which is slower', folder, GRAPH)
            backend = 'torch'
        engine = _torch_engine(config, tensors, source=str(folder / WEIGHTS)) if backend == 'torch' else _onnx_engine(folder, tensors)
        self._network = NetworkField(config, engine)

    def predict(self, frames: Mapping[str, RgbArray], position: FloatArray) -> Mapping[str, JacobianField]:
        """Return the field of every view; see NetworkField.predict."""
        return self._network.predict(frames, position)


class NetworkField:
    """A network behind the interface of a JacobianModel, wherever its numbers come from."""

    def __init__(self, config: FieldConfig, engine: Engine) -> None:
        self.config = config
        self._engine = engine

    def predict(self, frames: Mapping[str, RgbArray], position: FloatArray) -> Mapping[str, JacobianField]:
        """Return the field of every view; all views go through the network at once.

        Args:
            frames: View name to picture at working size, shape (H, W, 3), uint8. Views the field does not know are ignored.
            position: Measured joints in the robot's order, shape (n,), rad.

        Raises:
            ShapeError: If a view is missing, a picture has another size or type, or the joints are too few, too many or not finite.
        """
        config = self.config
        position = checked_position(position, len(config.joint_names)).astype(np.float32)
        pictures = np.stack([_planes(checked_picture(frames, view, config.working_size)) for view in config.view_names])
        views = np.arange(len(config.view_names), dtype=np.int64)
        jacobians, trusts = self._engine(pictures, np.repeat(position[None], len(views), axis=0), views)
        return {
            view: JacobianField(view=view, jacobian=jacobian, confidence=trust, stride=config.stride)
            for view, jacobian, trust in zip(config.view_names, jacobians, trusts, strict=True)
        }


def _planes(rgb: RgbArray) -> FloatArray:
    """Return a picture as the network takes it, shape (3, H, W), 0..1."""
    return np.ascontiguousarray(rgb.transpose(2, 0, 1), dtype=np.float32) / 255


def _onnx_engine(folder: Path, tensors: dict[str, Array]) -> Engine:
    import onnxruntime

    path = folder / GRAPH
    if not path.is_file():
        raise ModelContractError(f'{path} is missing; {RETRAIN}')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    values = {f'network.{name}': onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(tensor)) for name, tensor in tensors.items()}
    options.add_external_initializers(list(values), list(values.values()))
    try:
        session: Any = onnxruntime.InferenceSession(path.read_bytes(), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # ONNX Runtime raises unrelated types for a damaged graph, a wrong shape and a missing tensor.
        raise ModelContractError(f'{path} and {WEIGHTS} do not fit together: {error}; {RETRAIN}') from error

    used = {entry.name for entry in session.get_inputs()}  # a graph of an image-only field has no input for the joints

    def run(picture: FloatArray, position: FloatArray, view: Array) -> tuple[FloatArray, FloatArray]:
        inputs = {'picture': picture, 'position': position, 'view': view}
        jacobian, confidence = session.run(['jacobian', 'confidence'], {name: inputs[name] for name in used})
        return jacobian, confidence

    return run


def _torch_engine(config: FieldConfig, tensors: dict[str, Array], *, source: str) -> Engine:
    try:
        import torch

        from vera_jidm.jacobian.heads import empty_network
    except ImportError as error:
        raise ModelContractError(
            f'{source} needs torch to run without a graph: {error}; install torch or copy {GRAPH} beside it'
        ) from error

    torch.set_num_threads(1)
    network = empty_network(config).eval()
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_tensors({name: tensor.shape for name, tensor in tensors.items()}, wanted, source=source)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return field_engine(network)


def field_engine(network: Any) -> Engine:
    """Return a run time around a network in memory, for evaluation during training."""
    import torch

    def run(picture: FloatArray, position: FloatArray, view: Array) -> tuple[FloatArray, FloatArray]:
        with torch.inference_mode():
            jacobian, trust = network(torch.from_numpy(picture), torch.from_numpy(position), torch.from_numpy(view))
        return jacobian.permute(0, 3, 4, 2, 1).numpy(), trust.sigmoid().numpy()

    return run
