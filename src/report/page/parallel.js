// Parallel coordinates on a canvas of our own: drawing many lines again within a frame is what brushing needs.
import {$, colour, element, short} from './dom.js';
import {setFilter, state} from './state.js';

const mostLines = 700;  // of each colour
const top = 64, bottom = 40;
let columns = [], canvas = null, ground = null, handles = [], heights = [];  // heights: of each axis by row, in pixels

let wide = 0, tall = 0;  // of the drawing; asking for them while drawing would lay the page out each time

function rangeOf(column) {
  if (column.range) return column.range;
  let low = Infinity, high = -Infinity;
  for (const value of column.values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (!(low <= high)) { low = 0; high = 1; }
  column.logarithmic = low > 0 && high > 30 * low && !column.words;
  column.range = [low, high];
  return column.range;
}

function share(column, value) {  // 0 at the low end of the axis, 1 at the high one
  const [low, high] = rangeOf(column);
  if (low === high) return .5;
  return column.logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}
function valueAt(column, part) {
  const [low, high] = rangeOf(column);
  return column.logarithmic ? low * Math.pow(high / low, part) : low + part * (high - low);
}
const label = (column, value) => column.words ? column.words[Math.max(0, Math.min(column.words.length - 1, Math.round(value)))] || '' : short(value);

export function prepareParallel() {
  const {run} = state, useful = run.table.columns.filter(column => column.role !== 'id' && !(column.words && column.words.length > 60) && (column.words || column.values.some(Number.isFinite)));
  const varies = column => { const [low, high] = rangeOf(column); return low < high; };
  const first = useful.filter(column => (column.role === 'gene' && varies(column)) || column.role === 'objective');
  const wanted = new Set([...first.filter(column => column.role === 'gene').slice(0, 12), ...first.filter(column => column.role === 'objective')]);
  for (const column of useful) {
    const box = element('input', {type: 'checkbox', checked: wanted.has(column)});
    box.addEventListener('change', () => { box.checked ? wanted.add(column) : wanted.delete(column); arrange(); });
    $('parallel-columns').append(element('label', {}, box, ' ' + column.name));
  }
  function arrange() {
    columns = useful.filter(column => wanted.has(column)).sort((a, b) => (a.role === 'objective') - (b.role === 'objective'));
    place();
    drawParallel();
  }
  ground = element('canvas', {'aria-hidden': 'true'});
  canvas = element('canvas', {'aria-hidden': 'true'});
  $('parallel-chart').append(ground, canvas);
  arrange();
  new ResizeObserver(() => { place(); drawParallel(); }).observe($('parallel-chart').parentElement);
  listenToAxes();
}

const xOf = i => columns.length < 2 ? wide / 2 : 56 + i * (wide - 112) / (columns.length - 1);
const yOf = part => tall - bottom - part * (tall - top - bottom);

function place() {
  const box = $('parallel-chart');
  box.style.width = Math.max(box.parentElement.clientWidth, columns.length * 78) + 'px';
  wide = box.clientWidth;
  tall = box.clientHeight;
  for (const handle of handles) handle.element.remove();
  handles = [];
  columns.forEach((column, i) => {
    for (const end of [0, 1]) {
      const made = element('div', {class: 'handle', role: 'slider', tabindex: 0, 'aria-orientation': 'vertical', 'aria-label': `${column.name}, ${end ? 'most' : 'least'}`});
      box.append(made);
      const handle = {element: made, column, end, i};
      handles.push(handle);
      made.addEventListener('keydown', event => moveByKey(event, handle));
    }
  });
  placeHandles();
}

function ends(column) { return state.filters.get(column.name) || rangeOf(column); }

function placeHandles() {
  heights = columns.map(column => column.heights && column.tall === tall ? column.heights : Object.assign(column, {tall, heights: Float32Array.from(column.values, value => yOf(share(column, value)))}).heights);
  for (const handle of handles) {
    const {column, end} = handle, range = ends(column), [low, high] = rangeOf(column), value = Math.max(low, Math.min(high, range[end]));
    const key = [value, wide, tall, state.filters.has(column.name)].join(' ');
    if (handle.key === key) continue;  // setting what is set costs a layout of the page
    handle.key = key;
    handle.element.style.left = xOf(handle.i) + 'px';
    handle.element.style.top = yOf(low === high ? end : share(column, value)) + (end ? -8 : 8) + 'px';
    handle.element.classList.toggle('set', state.filters.has(column.name));
    handle.element.setAttribute('aria-valuemin', low);
    handle.element.setAttribute('aria-valuemax', high);
    handle.element.setAttribute('aria-valuenow', value);
    handle.element.setAttribute('aria-valuetext', label(column, value));
  }
}

function setEnd(column, end, value) {
  const range = [...ends(column)];
  range[end] = value;
  if (range[0] > range[1]) range[1 - end] = value;
  const [low, high] = rangeOf(column);
  if (range[0] <= low && range[1] >= high) setFilter(column.name, null);
  else setFilter(column.name, range[0], range[1]);
}

function moveByKey(event, {column, end}) {
  const [low, high] = rangeOf(column), now = Math.max(low, Math.min(high, ends(column)[end]));
  const step = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5}[event.key];
  let next = null;
  if (event.key === 'Home') next = low;
  else if (event.key === 'End') next = high;
  else if (event.key === 'Escape' || event.key === 'Delete') { setFilter(column.name, null); return; }
  else if (step && column.words) next = now + Math.sign(step);
  else if (step) next = valueAt(column, Math.max(0, Math.min(1, share(column, now) + step * .02)));
  if (next === null) return;
  event.preventDefault();
  setEnd(column, end, Math.max(low, Math.min(high, next)));
}

function listenToAxes() {
  const box = $('parallel-chart');
  let drag = null;
  const at = event => { const area = box.getBoundingClientRect(); return [event.clientX - area.left, event.clientY - area.top]; };
  const part = y => Math.max(0, Math.min(1, (tall - bottom - y) / (tall - top - bottom)));
  const near = x => { let best = -1; columns.forEach((column, i) => { if (Math.abs(xOf(i) - x) < 24) best = i; }); return best; };
  box.addEventListener('pointerdown', event => {
    const [x, y] = at(event), handle = handles.find(each => each.element === event.target), i = handle ? handle.i : near(x);
    if (i < 0 || event.button !== 0 || (event.pointerType === 'touch' && !handle)) return;
    drag = {column: columns[i], handle, from: part(y), moved: false};
    box.setPointerCapture(event.pointerId);
    if (!handle) event.preventDefault();
  });
  box.addEventListener('pointermove', event => {
    if (!drag) return;
    const [, y] = at(event), to = part(drag.handle ? y + (drag.handle.end ? 8 : -8) : y);
    if (!drag.moved && Math.abs(to - drag.from) < .01) return;
    drag.moved = true;
    if (drag.handle) { setEnd(drag.column, drag.handle.end, valueAt(drag.column, to)); return; }
    const half = drag.column.words || drag.column.range[0] === drag.column.range[1] ? .499 : 0;
    setFilter(drag.column.name, valueAt(drag.column, Math.min(drag.from, to)) - half, valueAt(drag.column, Math.max(drag.from, to)) + half);
  });
  const finish = () => { drag = null; };
  box.addEventListener('pointerup', finish);
  box.addEventListener('pointercancel', finish);
  box.addEventListener('dblclick', event => { const i = near(at(event)[0]); if (i >= 0) setFilter(columns[i].name, null); });
}

// Evenly taken, if there are too many to be drawn in a frame.
function thinned(rows) {
  if (rows.length <= mostLines) return rows;
  return Array.from({length: mostLines}, (none, i) => rows[Math.floor(i * rows.length / mostLines)]);
}

function lines(context, rows, tint, width, alpha) {
  context.strokeStyle = tint;
  context.lineWidth = width;
  context.globalAlpha = alpha;
  const xs = columns.map((column, i) => xOf(i));
  context.beginPath();
  for (const row of rows) {
    let pen = false;
    for (let i = 0; i < columns.length; ++i) {
      const y = heights[i][row];
      if (Number.isNaN(y)) { pen = false; continue; }  // a gene that this design does not have
      if (pen) context.lineTo(xs[i], y);
      else context.moveTo(xs[i], y);
      pen = true;
    }
  }
  context.stroke();
  context.globalAlpha = 1;
}

// A canvas of the size of the drawing. @return its empty context, or null: it has been drawn already, as `key` says.
function cleared(which, key) {
  const scale = window.devicePixelRatio || 1, size = [Math.round(wide * scale), Math.round(tall * scale)];
  if (which.width !== size[0] || which.height !== size[1]) {
    [which.width, which.height] = size;
    which.style.width = wide + 'px';
    which.style.height = tall + 'px';
    which.key = null;
  }
  if (key && which.key === key) return null;
  which.key = key;
  const context = which.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, wide, tall);
  return context;
}

export function drawParallel() {
  if (!canvas) return;
  const {run, shown} = state, front = [], selected = [], all = run.rows;
  // All designs, faded, are the ground on which those that are selected lie; a brush leaves it as it is.
  const below = cleared(ground, columns.map(column => column.name).join('\n') + colour('faded'));
  const every = thinned(Array.from({length: all}, (none, row) => row));
  if (below) lines(below, every, colour('faded'), 1, .6);
  for (let row = 0; row < all; ++row) if (shown[row]) (run.frontSet.has(row) ? front : selected).push(row);
  const context = cleared(canvas, null);
  lines(context, thinned(selected), colour('other'), 1, selected.length > 600 ? .35 : .6);
  lines(context, thinned(front), colour('front'), 1.8, .95);
  context.font = '12px system-ui, "DejaVu Sans", sans-serif';
  context.textAlign = 'center';
  columns.forEach((column, i) => {
    context.strokeStyle = colour('quiet');
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(xOf(i), yOf(0));
    context.lineTo(xOf(i), yOf(1));
    context.stroke();
    context.fillStyle = column.role === 'objective' ? colour('accent') : colour('ink');
    axisName(context, column.name, xOf(i));
    context.fillStyle = colour('quiet');
    const [low, high] = rangeOf(column);
    context.fillText(fitted(label(column, high)), xOf(i), top - 22);
    context.fillText(fitted(label(column, low)), xOf(i), tall - bottom + 28);
  });
  placeHandles();
  const some = Math.min(mostLines, selected.length) + Math.min(mostLines, front.length), chosen = selected.length + front.length;
  $('parallel-note').textContent = `Blue: the front. ${some < chosen || every.length < all ? `${some} of ${chosen} selected designs are drawn, evenly taken; filters look at all.` : `${chosen} selected designs.`} A line breaks at a gene that a design does not have.`;
}

const fitted = text => text.length > 12 ? text.slice(0, 11) + '…' : text;

// Two lines: before and after the last dot or underscore that helps.
function axisName(context, name, x) {
  if (name.length <= 12) { context.fillText(name, x, 24); return; }
  const cut = Math.max(name.lastIndexOf('.', name.length - 3), name.lastIndexOf('_', name.length - 3));
  const at = cut > 0 ? cut + 1 : 12;
  context.fillText(fitted(name.slice(0, at)), x, 11);
  context.fillText(fitted(name.slice(at)), x, 24);
}
