// SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
// SPDX-License-Identifier: Apache-2.0
// Plots of the last minute.

const SPAN_S = 60, KEEP = 600;
const STAGES = [['camera', 2, '#8797aa'], ['flow', 3, '#45c8ff'], ['field and inversion', 4, '#ffb740']];
const samples = [];  // [time, residual, camera, flow, estimate, dream, commanded, measured]

function addSamples(fresh) { samples.push(...fresh); samples.splice(0, Math.max(0, samples.length - KEEP)); }

function fit(canvas) {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  const width = Math.round(box.width * ratio), height = Math.round(box.height * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
}

// Lines of [colour, values over time] inside a box, with a scale from low to high.
function drawLines(g, box, lines, low, high, now) {
  const [x, y, width, height] = box, span = high - low || 1;
  g.lineWidth = 1.5;
  for (const [colour, points] of lines) {
    g.strokeStyle = colour; g.beginPath();
    let down = false;
    for (const [time, value] of points) {
      if (value === null || value === undefined || time < now - SPAN_S) { down = false; continue; }
      const px = x + width * (1 - (now - time) / SPAN_S), py = y + height * (1 - (Math.min(high, Math.max(low, value)) - low) / span);
      down ? g.lineTo(px, py) : g.moveTo(px, py);
      down = true;
    }
    g.stroke();
  }
}

function frameOf(g, box, low, high, text) {
  const [x, y, width, height] = box;
  g.strokeStyle = '#2a3543'; g.lineWidth = 1; g.strokeRect(x, y, width, height);
  g.fillStyle = '#8797aa'; g.font = '10px sans-serif';
  g.textAlign = 'left'; g.fillText(text, x + 4, y + 11);
  g.textAlign = 'right'; g.fillText(high, x + width - 3, y + 11); g.fillText(low, x + width - 3, y + height - 3);
}

function begin(id) {
  const canvas = document.getElementById(id);
  fit(canvas);
  const g = canvas.getContext('2d');
  g.clearRect(0, 0, canvas.width, canvas.height);
  return [g, canvas];
}

function drawPlots(now) {
  if (!samples.length) return;
  const column = index => samples.map(sample => [sample[0], sample[index]]);
  let [g, canvas] = begin('plot-residual');
  let box = [0.5, 0.5, canvas.width - 1, canvas.height - 1];
  frameOf(g, box, '0', '1', '');
  drawLines(g, box, [['#ff7b54', column(1)]], 0, 1, now);
  [g, canvas] = begin('plot-latency');
  const high = nice(Math.max(50, ...samples.flatMap(sample => [sample[2], sample[3], sample[4]]).filter(value => value !== null)));
  box = [0.5, 0.5, canvas.width - 1, canvas.height - 1];
  frameOf(g, box, '0', String(high), '');
  drawLines(g, box, STAGES.map(([, index, colour]) => [colour, column(index)]), 0, high, now);
  let x = 6;
  g.textAlign = 'left'; g.font = '11px sans-serif';
  for (const [name, , colour] of STAGES) { g.fillStyle = colour; g.fillText(name, x, 13); x += g.measureText(name).width + 12; }
  const dream = samples[samples.length - 1][5];
  document.getElementById('dream-latency').textContent = dream === null ? '' : `· a dream takes ${dream.toFixed(2)} s`;
  drawJoints(now);
}

function drawJoints(now) {
  const [g, canvas] = begin('plot-joints');
  const n = CONFIG.joints.length, columns = n > 8 ? 4 : 2, rows = Math.ceil(n / columns);
  const width = canvas.width / columns, height = canvas.height / rows;
  const high = nice(Math.max(0.2, ...samples.flatMap(sample => [...sample[6], ...sample[7]]).map(Math.abs)));
  CONFIG.joints.forEach((joint, i) => {
    const box = [(i % columns) * width + 0.5, Math.floor(i / columns) * height + 0.5, width - 6, height - 5];
    frameOf(g, box, `-${high}`, String(high), joint);
    drawLines(g, box, [['#ffb740', samples.map(s => [s[0], s[6][i] ?? null])], ['#45c8ff', samples.map(s => [s[0], s[7][i] ?? null])]], -high, high, now);
  });
}

// The next of 1, 2, 5 times a power of ten.
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number(([1, 2, 5, 10].find(step => step * power >= value) * power).toPrecision(2));
}
