# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
# Source this file (bash): the prepared Python environment, the built packages, and settings that keep everything on this machine.
# After it, `python`, `vera`, `pytest` and every node see the packages of this workspace; edits to Python sources need no new build.

_vera_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ ! -x "$_vera_root/.venv/bin/python" ] || [ ! -f "$_vera_root/install/setup.bash" ]; then
  echo "This workspace is not set up yet; run: make -C $_vera_root setup" >&2
  return 1 2>/dev/null || exit 1
fi

# A sourced system ROS must not mix with the wheels: two rclpy of different builds in one process do not work.
unset ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME LD_LIBRARY_PATH RMW_IMPLEMENTATION
export CMAKE_PREFIX_PATH="$_vera_root/.venv"
export AMENT_PREFIX_PATH="$_vera_root/.venv"
export VIRTUAL_ENV="$_vera_root/.venv"
export PATH="$_vera_root/.venv/bin:$(printf %s "$PATH" | tr ':' '\n' | grep -vF "$_vera_root/" | grep -v '^/opt/ros/' | paste -sd:)"

# colcon's set-up reads variables that may be unset.
case $- in *u*) _vera_nounset=1; set +u ;; *) _vera_nounset= ;; esac
source "$_vera_root/install/setup.bash"
[ -z "$_vera_nounset" ] || set -u
export PATH="$_vera_root/install/vera_bringup/lib/vera_bringup:$PATH"

export OMP_NUM_THREADS=1                              # two cores, several processes: one thread each
export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
if [ -z "${MUJOCO_GL:-}" ] && [ -s "$_vera_root/.setup/render" ]; then
  export MUJOCO_GL="$(cat "$_vera_root/.setup/render")"
fi
export MUJOCO_GL="${MUJOCO_GL:-egl}"
unset _vera_root _vera_nounset
