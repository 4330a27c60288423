# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that ship with this package: launch files, parameter files of drivers, camera presets."""

from __future__ import annotations

from pathlib import Path

from vera_core.errors import ConfigError

PACKAGE = 'vera_bringup'


def shared_file(name: str) -> Path:
    """Return the path of a file of this package, for example `config/fr3_controllers.yaml`: the installed one, or the one beside the sources.

    Raises:
        ConfigError: If it is in neither place.
    """
    folders = [*_installed(), Path(__file__).resolve().parents[1]]
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise ConfigError(f'{PACKAGE} has no {name} in {", ".join(map(str, folders))}; run `colcon build` and source install/setup.bash')


def _installed() -> list[Path]:
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        return [Path(get_package_share_directory(PACKAGE))]
    except (PackageNotFoundError, OSError):  # the second where no ROS environment is sourced at all
        return []
