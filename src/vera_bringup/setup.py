# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

PACKAGE = 'vera_bringup'

setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(exclude=['test', 'test.*']),
    package_data={'': ['**/*.safetensors', '**/*.onnx', '**/*.json', '**/*.yaml', '**/*.html', '**/*.css', '**/*.js', 'py.typed']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        *(
            (f'share/{PACKAGE}/{folder}', sorted(glob(f'{folder}/*.*')))
            for folder in ('launch', 'config', 'config/cameras', 'rviz', 'foxglove')
        ),
    ],
    install_requires=['setuptools'],
    zip_safe=False,
    maintainer='VERA for ROS 2 maintainers',
    maintainer_email='maintainers@users.noreply.github.com',
    description='Puts the VERA nodes together.',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'vera = vera_bringup.cli:main',
            'blackbox_node = vera_bringup.blackbox_node:main',
            'fault_relay_node = vera_bringup.fault_relay_node:main',
            'operator_node = vera_bringup.operator_node:main',
            'view_node = vera_bringup.view_node:main',
        ],
    },
)
