# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

PACKAGE = 'vera_control'

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
    description='From joint velocities to commands a robot can safely run.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'controller_node = vera_control.controller_node:main',
            'executive_node = vera_control.executive_node:main',
            'remote_policy_node = vera_control.remote_policy_node:main',
        ],
    },
)
