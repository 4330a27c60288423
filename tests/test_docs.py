# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages hold together: every link leads somewhere, every page is in the list, every command of ours that a page shows exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from vera_bringup.arguments import parse_words
from vera_bringup.cli import app
from vera_bringup.system import SYSTEMS, find_set_up

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)')
FENCE = re.compile(r'```.*?```', re.DOTALL)


def tracked_pages() -> list[Path]:
    """All pages of the repository, tracked or about to be."""
    command = ['git', 'ls-files', '-co', '--exclude-standard', '*.md']
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    return sorted(ROOT / name for name in listed if (ROOT / name).is_file()) or sorted((ROOT / 'docs').glob('*.md'))


def anchors(page: Path) -> set[str]:
    """The anchors GitHub and mkdocs make of the headings of a page."""
    text = FENCE.sub('', page.read_text(encoding='utf-8'))
    headings = re.findall(r'^#+ +(.+?)\s*$', text, re.MULTILINE)
    return {
        re.sub(r'[^\w\- ]', '', re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)).strip().lower().replace(' ', '-') for heading in headings
    }


@pytest.mark.parametrize('page', tracked_pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for match in LINK.finditer(FENCE.sub('', page.read_text(encoding='utf-8'))):
        target = match[1] or match[2]
        if re.match(r'[a-z]+:', target):
            continue
        name, _, anchor = target.partition('#')
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and file.suffix == '.md' and anchor not in anchors(file)):
            broken.append(target)
    assert not broken, f'{page.relative_to(ROOT)} has links that lead nowhere: {broken}'


def test_every_page_is_in_the_list_of_pages_and_in_the_menu():
    pages = {path.name for path in (ROOT / 'docs').glob('*.md')}
    index = (ROOT / 'docs' / 'index.md').read_text(encoding='utf-8')
    assert {name for name in pages if f']({name})' in index} | {'index.md'} == pages
    menu = yaml.safe_load((ROOT / 'mkdocs.yml').read_text(encoding='utf-8'))['nav']
    assert {value for entry in menu for value in entry.values()} == pages


def shown_lines() -> list[tuple[str, str]]:
    """(page, line) of everything the pages show as code."""
    lines = []
    for page in [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]:
        text = page.read_text(encoding='utf-8')
        blocks = [block for fence in FENCE.findall(text) for block in fence.splitlines()[1:-1]]
        lines += [(page.name, line) for line in [*blocks, *re.findall(r'`([^`\n]+)`', FENCE.sub('', text))]]
    return lines


def test_launch_commands_of_the_pages_are_ones_that_work():
    seen = 0
    for page, line in shown_lines():
        match = re.search(r'ros2 launch vera_bringup (\w+)\.launch\.py(.*)', line)
        if not match or match[1] not in {*SYSTEMS, 'vera'}:
            assert not match or match[1] == 'NAME', f'{page}: {line}'
            continue
        words = [word for word in match[2].split('#')[0].split() if ':=' in word and not word.endswith(':=…')]
        names = {argument.name for name in (SYSTEMS if match[1] == 'vera' else [match[1]]) for argument in find_set_up(name).arguments}
        assert set(parse_words(words)) <= names, f'{page}: {line}'
        seen += 1
    assert seen >= 8


def test_commands_of_the_pages_are_there():
    import typer

    group = typer.main.get_command(app)
    assert hasattr(group, 'commands')
    for page, line in shown_lines():
        for match in re.finditer(r'(?:^|\./|run vera_bringup |\s)vera (?!_)([a-z][a-z-]+)(?: ([a-z][a-z-]+))?', line):
            command = group.commands.get(match[1])
            assert command is not None, f'{page}: {line}'
            if hasattr(command, 'commands') and match[2]:
                assert match[2] in command.commands, f'{page}: {line}'
