# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""A browser without a window, driven over Chromium's DevTools protocol: opens the operator page as a person does, for tests and screenshots."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from urllib.request import urlopen

from websockets.sync.client import connect

from vera_core.errors import VeraError

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
START_S = 30.0
KEYS: Mapping[str, tuple[str, str, int]] = MappingProxyType(
    {'Escape': ('Escape', '', 27), 'Space': (' ', ' ', 32), 'Enter': ('Enter', '\r', 13)}
)
"""Code of a key to what it is called, types, and its old number."""


class BrowserError(VeraError):
    """The browser did not do what it was asked."""


def find_browser() -> str | None:
    """Return the path of an installed Chromium, None when there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a headless Chromium. Use as a context manager."""

    def __init__(self, *, size: tuple[int, int] = (1440, 900), prefix: Sequence[str] = ()) -> None:
        """Start the browser with an empty profile.

        Args:
            size: Width and height of the page, px.
            prefix: Words before its command line, for example to run it with less priority.

        Raises:
            BrowserError: If none is installed or it does not start.
        """
        program = find_browser()
        if program is None:
            raise BrowserError(f'no browser is installed; one of {", ".join(NAMES)} is needed (Debian: apt-get install chromium)')
        self._profile = tempfile.TemporaryDirectory(prefix='vera_browser_', ignore_cleanup_errors=True)
        options = [
            '--headless=new',
            '--no-sandbox',
            '--disable-gpu',
            '--no-first-run',
            '--disable-extensions',
            '--disable-background-networking',
        ]
        options += [
            '--remote-debugging-port=0',
            f'--user-data-dir={self._profile.name}',
            f'--window-size={size[0]},{size[1]}',
            'about:blank',
        ]
        self._process = subprocess.Popen(
            [*prefix, program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._stack = ExitStack()
        self._number = 0
        self._events: list[dict[str, Any]] = []
        try:
            self._socket = self._stack.enter_context(connect(self._page_address(), max_size=None))
            self.call('Emulation.setDeviceMetricsOverride', width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
            for domain in ('Page', 'Runtime', 'Log'):
                self.call(f'{domain}.enable')
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        self._stack.close()
        self._process.terminate()
        try:
            self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    def _page_address(self) -> str:
        """Return the websocket of the first page; the browser writes its port into its profile once it listens."""
        port_file = Path(self._profile.name) / 'DevToolsActivePort'
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BrowserError(f'the browser ended with exit code {self._process.returncode}')
            lines = port_file.read_text().split() if port_file.is_file() else []
            if lines:
                with urlopen(f'http://127.0.0.1:{lines[0]}/json', timeout=5.0) as answer:
                    pages = [page for page in json.load(answer) if page['type'] == 'page']
                if pages:
                    return str(pages[0]['webSocketDebuggerUrl'])
            time.sleep(0.05)
        raise BrowserError(f'the browser did not start within {START_S:.0f} s')

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result.

        Raises:
            BrowserError: If the browser refuses.
        """
        self._number += 1
        self._socket.send(json.dumps({'id': self._number, 'method': method, 'params': parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=START_S))
            if message.get('id') == self._number:
                if 'error' in message:
                    raise BrowserError(f'{method}: {message["error"]["message"]}')
                return dict(message['result'])
            self._events.append(message)

    def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        self.call('Page.navigate', url=url)
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page; promises are waited for.

        Raises:
            BrowserError: If the script throws.
        """
        answer = self.call('Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer:
            raise BrowserError(f'{script}: {answer["exceptionDetails"].get("exception", {}).get("description", "threw")}')
        return answer['result'].get('value')

    def wait_for(self, script: str, *, timeout_s: float = 10.0) -> Any:
        """Return the value of an expression once it is true.

        Raises:
            BrowserError: If it does not become so.
        """
        return self._wait(lambda: self.evaluate(script), script, timeout_s)

    def _wait(self, condition: Callable[[], Any], what: str, timeout_s: float) -> Any:
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise BrowserError(f'{what} did not become true within {timeout_s:.0f} s; the page says: {self.complaints()}')
            time.sleep(0.02)
        return value

    def complaints(self) -> list[str]:
        """Return errors of scripts and refused loads so far."""
        self.call('Runtime.getHeapUsage')  # what was said before this answer is in the events now
        found = []
        for event in self._events:
            if event.get('method') == 'Runtime.exceptionThrown':
                details = event['params']['exceptionDetails']
                found.append(str(details.get('exception', {}).get('description', details.get('text'))))
            if event.get('method') == 'Log.entryAdded' and event['params']['entry']['level'] == 'error':
                found.append(f'{event["params"]["entry"]["text"]} {event["params"]["entry"].get("url", "")}'.strip())
        return found

    def press(self, code: str) -> None:
        """Press and let go of a key: Escape, Space or Enter."""
        key, text, number = KEYS[code]
        common = {'key': key, 'code': code, 'windowsVirtualKeyCode': number}
        self.call('Input.dispatchKeyEvent', type='keyDown' if text else 'rawKeyDown', text=text, **common)
        self.call('Input.dispatchKeyEvent', type='keyUp', **common)

    def type_text(self, text: str) -> None:
        """Type into what has the focus."""
        self.call('Input.insertText', text=text)

    def click(self, selector: str, *, hold: bool = False) -> Callable[[], None]:
        """Press the mouse on an element, and let go of it unless it is held; returns what lets go."""
        box = self.evaluate(
            f'(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()'
        )
        place = {'x': box[0], 'y': box[1], 'button': 'left', 'clickCount': 1}
        self.call('Input.dispatchMouseEvent', type='mousePressed', **place)

        def let_go() -> None:
            self.call('Input.dispatchMouseEvent', type='mouseReleased', **place)

        if not hold:
            let_go()
        return let_go

    def screenshot(self, path: Path) -> None:
        """Write a picture of the page, PNG."""
        path.write_bytes(base64.b64decode(self.call('Page.captureScreenshot', format='png')['data']))
