// SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
// SPDX-License-Identifier: Apache-2.0
// The robot in space on a plain 2-D canvas: solids are few and simple, so no graphics processor is needed where the operator sits.

const eye = {azimuth: -0.9, elevation: 0.3, distance: 2, centre: [0, 0, 0.4]};
const LIGHT = normal([0.4, -0.5, 0.8]);
const BOX_FACES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]];

function normal(v) { const n = Math.hypot(...v) || 1; return v.map(x => x / n); }
function minus(a, b) { return [a[0] - b[0], a[1] - b[1], a[2] - b[2]]; }
function dot(a, b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
function cross(a, b) { return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]; }

function prepareScene(canvas) {
  const points = CONFIG.home.flat();
  if (points.length) {
    const low = [0, 1, 2].map(i => Math.min(...points.map(p => p[i]))), high = [0, 1, 2].map(i => Math.max(...points.map(p => p[i])));
    eye.centre = low.map((value, i) => (value + high[i]) / 2);
    eye.distance = 2.1 * Math.max(0.15, Math.hypot(...minus(high, low)) / 1.25);
    eye.floor = Math.min(0, low[2]);
  }
  let grip = null;
  canvas.addEventListener('pointerdown', event => { grip = event; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointerup', () => { grip = null; });
  canvas.addEventListener('pointermove', event => {
    if (!grip) return;
    eye.azimuth -= (event.clientX - grip.clientX) * 0.01;
    eye.elevation = Math.min(1.5, Math.max(-0.3, eye.elevation + (event.clientY - grip.clientY) * 0.01));
    grip = event;
  });
  canvas.addEventListener('wheel', event => { eye.distance *= event.deltaY > 0 ? 1.1 : 0.9; event.preventDefault(); }, {passive: false});
}

// Returns a function from a point in metres to [x, y, depth in m, px per m].
function projector(canvas) {
  const ce = Math.cos(eye.elevation), away = [Math.cos(eye.azimuth) * ce, Math.sin(eye.azimuth) * ce, Math.sin(eye.elevation)];
  const right = normal(cross([0, 0, 1], away)), up = cross(away, right);
  const focal = 1.5 * Math.min(canvas.width, canvas.height);
  return point => {
    const p = minus(point, eye.centre), depth = Math.max(0.05, eye.distance - dot(p, away)), scale = focal / depth;
    return [canvas.width / 2 + dot(p, right) * scale, canvas.height / 2 - dot(p, up) * scale, depth, scale];
  };
}

function drawScene(canvas, scene) {
  fit(canvas);
  const g = canvas.getContext('2d'), project = projector(canvas);
  g.clearRect(0, 0, canvas.width, canvas.height);
  if (!scene) {
    g.fillStyle = '#8797aa'; g.font = '13px sans-serif'; g.textAlign = 'center';
    g.fillText(CONFIG.solids.length ? 'no joint states yet' : 'this robot file names no description (URDF)', canvas.width / 2, canvas.height / 2);
    return;
  }
  drawFloor(g, project);
  drawBody(g, project, scene.robot, null);
  if (scene.ghost) drawGhost(g, project, scene.ghost);
  g.strokeStyle = '#45c8ff'; g.lineWidth = 3; g.lineJoin = 'round';
  for (const path of scene.paths) {
    g.beginPath();
    path.forEach((point, i) => { const [x, y] = project(point); i ? g.lineTo(x, y) : g.moveTo(x, y); });
    g.stroke();
  }
}

// Drawn opaque on a canvas of its own, so that solids behind each other do not add up.
const layer = new OffscreenCanvas(1, 1);

function drawGhost(g, project, solids) {
  if (layer.width !== g.canvas.width || layer.height !== g.canvas.height) Object.assign(layer, {width: g.canvas.width, height: g.canvas.height});
  else layer.getContext('2d').clearRect(0, 0, layer.width, layer.height);
  drawBody(layer.getContext('2d'), project, solids, [1, 0.72, 0.25]);
  g.globalAlpha = 0.4; g.drawImage(layer, 0, 0); g.globalAlpha = 1;
}

function drawFloor(g, project) {
  const step = eye.distance > 1 ? 0.2 : 0.05, n = 5, z = eye.floor ?? 0;
  const [cx, cy] = eye.centre.map(v => Math.round(v / step) * step);
  g.strokeStyle = '#324152'; g.lineWidth = 1; g.beginPath();
  for (let i = -n; i <= n; i++) {
    for (const [a, b] of [[[cx + i * step, cy - n * step, z], [cx + i * step, cy + n * step, z]], [[cx - n * step, cy + i * step, z], [cx + n * step, cy + i * step, z]]]) {
      const p = project(a), q = project(b);
      g.moveTo(p[0], p[1]); g.lineTo(q[0], q[1]);
    }
  }
  g.stroke();
}

// Far solids first.
function drawBody(g, project, solids, tint) {
  const placed = solids.map((points, i) => ({points, solid: CONFIG.solids[i], seen: points.map(project)}));
  for (const item of placed) item.depth = item.seen.reduce((sum, p) => sum + p[2], 0) / item.seen.length;
  placed.sort((a, b) => b.depth - a.depth);
  for (const {points, solid, seen} of placed) {
    const colour = tint ?? solid.colour;
    if (solid.kind === 'box') drawBox(g, points, seen, colour);
    else drawCapsule(g, seen[0], seen[seen.length - 1], solid.radius, colour);
  }
}

function shade(colour, light) { return `rgb(${colour.map(c => Math.round(255 * Math.min(1, c * light))).join(',')})`; }

// The outline of two balls and what is between them, lit from above left.
function drawCapsule(g, a, b, radius, colour) {
  const ra = radius * a[3], rb = radius * b[3], dx = b[0] - a[0], dy = b[1] - a[1], length = Math.hypot(dx, dy);
  const along = Math.atan2(dy, dx), spread = length > Math.abs(ra - rb) + 0.01 ? Math.acos((ra - rb) / length) : null;
  g.beginPath();
  if (spread === null) { const big = ra > rb ? a : b; g.arc(big[0], big[1], Math.max(ra, rb), 0, 2 * Math.PI); }
  else { g.arc(a[0], a[1], ra, along + spread, along - spread + 2 * Math.PI); g.arc(b[0], b[1], rb, along - spread, along + spread); }
  const r = Math.max(ra, rb), mx = (a[0] + b[0]) / 2, my = (a[1] + b[1]) / 2;
  let nx = -Math.sin(along), ny = Math.cos(along);
  if (nx * 0.5 + ny > 0) { nx = -nx; ny = -ny; }
  const fill = g.createLinearGradient(mx + nx * r, my + ny * r, mx - nx * r, my - ny * r);
  fill.addColorStop(0, shade(colour, 0.9)); fill.addColorStop(0.3, shade(colour, 1.08)); fill.addColorStop(1, shade(colour, 0.42));
  g.fillStyle = fill; g.fill();
}

function drawBox(g, points, seen, colour) {
  const middle = points[0].map((value, i) => (value + points[7][i]) / 2);
  const faces = BOX_FACES.map(corners => {
    const centre = [0, 1, 2].map(i => corners.reduce((sum, k) => sum + points[k][i], 0) / 4);
    return {corners, outward: normal(minus(centre, middle)), depth: corners.reduce((sum, k) => sum + seen[k][2], 0)};
  }).sort((a, b) => b.depth - a.depth);
  for (const {corners, outward} of faces.slice(3)) {
    g.beginPath();
    corners.forEach((k, i) => (i ? g.lineTo(seen[k][0], seen[k][1]) : g.moveTo(seen[k][0], seen[k][1])));
    g.closePath();
    g.fillStyle = shade(colour, 0.68 + 0.36 * dot(outward, LIGHT)); g.fill();
  }
}
