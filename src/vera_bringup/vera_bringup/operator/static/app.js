// SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
// SPDX-License-Identifier: Apache-2.0
// Puts the page together: every state that arrives is shown, every control sends one request.

const PLOT_MS = 250;
const view = {state: null, plotted: 0, sliding: false};

function text(id, value) { const element = document.getElementById(id); if (element.textContent !== value) element.textContent = value; }

function onState(state) {
  view.state = state;
  addSamples(state.samples);
  state.notes.forEach(showNote);
  state.prompts.forEach(showPrompt);
  updatePictures(state);
  requestAnimationFrame(draw);
}

function forget() {
  samples.length = 0;
  document.getElementById('notes').replaceChildren();
  document.getElementById('prompts').replaceChildren();
}

function draw() {
  const state = view.state;
  if (!state) return;
  const safety = state.safety;
  text('state', safety ? safety.state : 'no report');
  document.getElementById('state').className = `pill ${safety ? safety.state : ''}`;
  text('reason', safety ? safety.text : 'controller_node has not reported');
  text('progress', progressText(state));
  if (safety && !view.sliding) { document.getElementById('speed').value = safety.speed_scale; text('speed-text', `${Math.round(safety.speed_scale * 100)} %`); }
  drawScene(document.getElementById('scene'), state.scene);
  if (performance.now() - view.plotted > PLOT_MS) { view.plotted = performance.now(); drawPlots(state.time_s); }
}

function progressText(state) {
  const {task, progress, planner} = state;
  if (task && task.is_active) {
    const where = progress.phase ? `${progress.phase}, ${progress.elapsed_s} s, ${progress.remaining_px} px to go` : 'under way';
    return `task ${task.task_id} “${task.prompt}”: ${where}`;
  }
  return planner ? `planner: ${planner.text}` : 'the planner has not reported';
}

function line(list, className, content) {
  const item = Object.assign(document.createElement('li'), {className});
  item.append(...content);
  list.prepend(item);
  while (list.children.length > 200) list.lastChild.remove();
  return item;
}

function showNote(note) {
  const time = Object.assign(document.createElement('time'), {textContent: new Date(note.time_s * 1000).toTimeString().slice(0, 8)});
  line(document.getElementById('notes'), note.kind, [time, note.text]);
}

function showPrompt(sentence) {
  const item = line(document.getElementById('prompts'), '', [sentence]);
  item.addEventListener('click', () => { const box = document.getElementById('prompt'); box.value = sentence; box.focus(); });
}

function prepare() {
  text('robot', CONFIG.robot);
  makeViews();
  prepareScene(document.getElementById('scene'));
  prepareLines(onState, forget);
  document.getElementById('task').addEventListener('submit', event => {
    event.preventDefault();
    const box = document.getElementById('prompt'), sentence = box.value.trim();
    if (sentence) { ask({do: 'prompt', text: sentence}); box.value = ''; box.blur(); }
  });
  for (const button of document.querySelectorAll('[data-do]')) button.addEventListener('click', () => { ask({do: button.dataset.do}); button.blur(); });
  const speed = document.getElementById('speed');
  speed.addEventListener('input', () => { view.sliding = true; text('speed-text', `${Math.round(speed.value * 100)} %`); });
  speed.addEventListener('change', () => { view.sliding = false; ask({do: 'speed', value: Number(speed.value)}); });
}

prepare();
