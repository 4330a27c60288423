# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

PACKAGE = 'vera_sim'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    package_data={'': ['**/*.safetensors', '**/*.onnx', '**/*.json', '**/*.yaml', 'py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='VERA for ROS 2 maintainers',
    maintainer_email='maintainers@users.noreply.github.com',
    description='Simulated robots in MuJoCo, standing where camera driver and robot driver stand.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'camera_node = vera_sim.camera_node:main',
            'mock_driver_node = vera_sim.mock_driver_node:main',
            'sim_node = vera_sim.sim_node:main',
        ],
    },
)
