// SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
// SPDX-License-Identifier: Apache-2.0
// The two lines of the page: one for what is shown and asked for, and one of its own, to another process, that stops the arm.

const TOKEN = new URLSearchParams(location.search).get('token') ?? '';
const AGAIN_MS = 500, PING_MS = 500, LOST_MS = 2000, HOLD_MS = 80;

const lines = {live: null, stop: null, heard: 0, answered: 0, delay: null, offered: true, holding: null, stopped: null};

function address(port, path) { return `ws://${location.hostname}:${port}${path}?token=${encodeURIComponent(TOKEN)}`; }

function openLive(onState, onOpen) {
  const socket = lines.live = new WebSocket(address(location.port, '/live'));
  socket.binaryType = 'arraybuffer';
  socket.onopen = onOpen;  // all that is remembered comes again
  socket.onmessage = event => {
    lines.heard = performance.now();
    if (typeof event.data === 'string') onState(JSON.parse(event.data));
    else onPicture(event.data);
  };
  socket.onclose = () => setTimeout(() => openLive(onState, onOpen), AGAIN_MS);
}

function openStop() {
  const socket = lines.stop = new WebSocket(address(CONFIG.stop_port, '/stop'));
  socket.onmessage = event => {
    const {word, answer} = JSON.parse(event.data);
    lines.answered = performance.now();
    if (word === 'ping') { lines.delay = performance.now() - lines.asked; lines.offered = answer === 'pong'; }
    if (word === 'stop') { lines.stopped = answer; document.getElementById('stop').classList.remove('pressed'); }
  };
  socket.onclose = () => setTimeout(openStop, AGAIN_MS);
}

function say(word) { if (lines.stop.readyState === WebSocket.OPEN) lines.stop.send(word); }
function ask(request) { if (lines.live.readyState === WebSocket.OPEN) lines.live.send(JSON.stringify(request)); }

function stop() {
  lines.stopped = null;
  document.getElementById('stop').classList.add('pressed');
  say('stop');
}

// Pressed before anything else on the page sees the key.
function onKey(event) {
  const types = ['INPUT', 'TEXTAREA'].includes(event.target.tagName) && event.target.type !== 'range';
  if (event.code === 'Escape' || (event.code === 'Space' && !types)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) stop();
  }
}

function hold() {
  if (lines.holding) return;
  say('hold');
  lines.holding = setInterval(() => say('hold'), HOLD_MS);
  document.getElementById('deadman').classList.add('held');
}

function release() {
  if (!lines.holding) return;
  clearInterval(lines.holding);
  lines.holding = null;
  say('release');
  document.getElementById('deadman').classList.remove('held');
}

function prepareLines(onState, onOpen) {
  openLive(onState, onOpen);
  openStop();
  window.addEventListener('keydown', onKey, true);
  document.getElementById('stop').addEventListener('pointerdown', stop);
  const button = document.getElementById('deadman');
  button.addEventListener('pointerdown', event => { button.setPointerCapture(event.pointerId); hold(); });
  for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) button.addEventListener(name, release);
  window.addEventListener('blur', release);
  document.addEventListener('visibilitychange', release);
  setInterval(() => { lines.asked = performance.now(); say('ping'); showLines(); }, PING_MS);
}

function showLines() {
  const now = performance.now(), faults = [];
  if (now - lines.answered > LOST_MS) faults.push('STOP LINE LOST: this page cannot stop the arm; use the stop button of the robot');
  else if (!lines.offered) faults.push('no controller offers the service stop: this page cannot stop the arm');
  if (now - lines.heard > LOST_MS) faults.push('the page no longer hears from operator_node; stop still works while its line is there');
  const banner = document.getElementById('banner');
  banner.hidden = !faults.length || now < LOST_MS;
  banner.textContent = faults.join(' · ');
  const delay = lines.delay === null ? '' : `${lines.delay.toFixed(0)} ms`;
  document.getElementById('lines').textContent = `stop line ${delay}`;
}
