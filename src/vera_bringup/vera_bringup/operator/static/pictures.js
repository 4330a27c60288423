// SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
// SPDX-License-Identifier: Apache-2.0
// The pictures of every view: camera, dream, flow and field side by side, and the scrubber through the dream.

const KINDS = ['camera', 'flow', 'field', 'dream'];  // numbers of the kinds in the messages
const COLUMNS = ['camera', 'dream', 'flow', 'field'];
const ALIVE_MS = 1500;  // a flow or field older than this is shown dimmed

const board = {canvases: {}, plan: {id: 0, frames: []}, shown: -1, follows: true, seen: {}, counts: {}};

function makeViews() {
  const home = document.getElementById('views');
  CONFIG.views.forEach((view, place) => {
    const row = home.appendChild(Object.assign(document.createElement('div'), {className: 'view'}));
    for (const column of COLUMNS) {
      const figure = row.appendChild(document.createElement('figure'));
      const canvas = figure.appendChild(document.createElement('canvas'));
      canvas.id = `${column}-${place}`;
      const caption = figure.appendChild(document.createElement('figcaption'));
      caption.append(`${view} · ${column}`, document.createElement('span'));
      board.canvases[canvas.id] = {canvas, note: caption.lastChild};
    }
  });
  document.getElementById('frame').addEventListener('input', event => { board.follows = false; showFrame(Number(event.target.value)); });
  document.getElementById('follow').addEventListener('click', () => { board.follows = true; });
}

// A picture: kind, view, frame, plan id, then the file. Each stream draws only its newest picture.
function onPicture(data) {
  const head = new DataView(data);
  const kind = KINDS[head.getUint8(0)], view = head.getUint8(1), frame = head.getUint16(2), plan = head.getUint32(4);
  const file = new Blob([new Uint8Array(data, 8)]);
  if (kind === 'dream') {
    if (plan !== board.plan.id) { board.plan = {id: plan, frames: []}; board.shown = -1; }
    (board.plan.frames[frame] ??= [])[view] = file;
    document.getElementById('frame').max = board.plan.frames.length - 1;
    return;
  }
  board.counts[kind] = (board.counts[kind] ?? 0) + 1;
  paint(`${kind}-${view}`, file);
}

async function paint(id, file) {
  const mine = board.seen[id] = (board.seen[id] ?? 0) + 1;
  const bitmap = await createImageBitmap(file);
  const {canvas} = board.canvases[id];
  if (board.seen[id] === mine) {
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, {width: bitmap.width, height: bitmap.height});
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    canvas.dataset.time = performance.now();
    canvas.style.opacity = 1;
  }
  bitmap.close();
}

function showFrame(frame) {
  const pictures = board.plan.frames[frame];
  if (!pictures || frame === board.shown) return;
  board.shown = frame;
  pictures.forEach((file, view) => paint(`dream-${view}`, file));
  document.getElementById('frame').value = frame;
  document.getElementById('frame-text').textContent = `${frame} of ${board.plan.frames.length - 1}`;
}

// Called with every state: the frame that is followed, unless somebody scrubs; what no longer comes is dimmed.
function updatePictures(state) {
  const button = document.getElementById('follow');
  button.className = board.follows ? 'on' : '';
  if (board.follows && state.plan_id % 2 ** 32 === board.plan.id) showFrame(state.step);
  else if (board.follows && board.shown < 0) showFrame(0);
  for (const [id, {canvas, note}] of Object.entries(board.canvases)) {
    const age = performance.now() - Number(canvas.dataset.time ?? -1e9);
    if (!id.startsWith('dream')) canvas.style.opacity = age < ALIVE_MS ? 1 : 0.35;
    if (id.startsWith('camera')) note.textContent = age < ALIVE_MS ? '' : 'no picture';
  }
}
