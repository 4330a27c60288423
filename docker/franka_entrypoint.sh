#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
# `driver` starts the arm's driver and joint_trajectory_controller and ends with whichever of them fails; anything else is run as it is.
set -e
# shellcheck source=/dev/null
source /opt/ros/jazzy/setup.bash
# shellcheck source=/dev/null
source /home/franka/ws/install/setup.bash
if [ "$1" != driver ]; then
  exec "$@"
fi
: "${ROBOT_IP:?set ROBOT_IP to the address of the arm, as in its Desk page}"
ros2 launch franka_bringup franka.launch.py robot_type:=fr3 "robot_ip:=$ROBOT_IP" controllers_yaml:=/home/franka/fr3_controllers.yaml &
driver=$!
trap 'kill -INT "$driver" 2>/dev/null; wait "$driver"' EXIT INT TERM
ros2 run controller_manager spawner joint_trajectory_controller --controller-manager-timeout 60
wait "$driver"
