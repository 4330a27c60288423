# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
#
# The machine that drives a Franka FR3: franka_ros2 and joint_trajectory_controller, on a host with a PREEMPT_RT kernel. Nothing of VERA runs in it
# but the configuration of the controller. Not built by this project's own checks, never run on hardware.
#
#   docker build -f docker/franka.Dockerfile -t vera-franka .
#   docker compose -f docker/compose.yaml --profile real up franka
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
      git ros-dev-tools ros-jazzy-joint-trajectory-controller ros-jazzy-controller-manager ros-jazzy-xacro \
      ros-jazzy-rmw-zenoh-cpp ros-jazzy-rmw-cyclonedds-cpp \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --shell /bin/bash franka

WORKDIR /home/franka/ws
ARG FRANKA_ROS2=jazzy
RUN git clone --depth 1 --branch "$FRANKA_ROS2" https://github.com/frankarobotics/franka_ros2.git src \
    && vcs import src --recursive --skip-existing --input src/dependency.repos
# hadolint ignore=DL3008
RUN apt-get update && rosdep update --rosdistro jazzy \
    && rosdep install --from-paths src --ignore-src --rosdistro jazzy -y --skip-keys=zed_wrapper \
    && rm -rf /var/lib/apt/lists/*
RUN . /opt/ros/jazzy/setup.bash \
    && colcon build --packages-up-to franka_bringup franka_gripper franka_robot_state_broadcaster --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTS=OFF

COPY --chmod=644 src/vera_bringup/config/fr3_controllers.yaml /home/franka/fr3_controllers.yaml
COPY --chmod=755 docker/franka_entrypoint.sh /home/franka/entrypoint.sh
# hadolint ignore=DL3066
USER franka
ENTRYPOINT ["/home/franka/entrypoint.sh"]
CMD ["driver"]
