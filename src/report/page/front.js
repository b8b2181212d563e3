// The front: any column against any other; a rectangle selects.
import {addUnderlay, axis, base, chartOf, describe, tip} from './charts.js';
import {openDetails} from './details.js';
import {$, colour, csvCell, element, short, withUnit} from './dom.js';
import {frontUpTo, setFilter, state} from './state.js';

const mostIntervals = 400;
const many = 800;  // designs, from which on those beside the front are drawn by pixels on a canvas below the chart
let cursor = -1;   // place in the front, of the keyboard
let drawn = '';    // what of the drawing does not depend on the selection
let above = '';    // the same of the points that the chart draws, when there are many
let cloud = null;  // the canvas; `at`: pixels of each row, for the chart's axes and size

const chosen = side => state.run.table.by.get($('front-' + side).value);

function numberColumns() {
  return state.run.table.columns.filter(column => !column.words && column.role !== 'id');
}

export function prepareFront() {
  const {run} = state, objectives = run.objectives.filter(name => run.table.by.has(name));
  const columns = [...numberColumns()].sort((a, b) => (b.role === 'objective') - (a.role === 'objective'));
  if (run.table.by.has('id') && objectives.length < 2) columns.push(run.table.by.get('id'));
  for (const side of ['x', 'y']) {
    $('front-' + side).append(...columns.map(column => element('option', {value: column.name}, column.name)));
    $('front-' + side).addEventListener('change', () => { setDefaultScale(side); drawFront(); });
    $('front-log-' + side).addEventListener('change', drawFront);
  }
  const latency = objectives.includes('latency_ms') ? 'latency_ms' : objectives[1] || 'id';
  $('front-x').value = latency;
  $('front-y').value = objectives.find(name => name !== latency) || (columns[0] && columns[0].name);
  for (const side of ['x', 'y']) setDefaultScale(side);
  $('front-errors').addEventListener('change', drawFront);
  if (run.rows > many) new ResizeObserver(() => { if (cloud) drawFront(); }).observe($('front-chart'));
  listen();
}

function setDefaultScale(side) {
  const column = chosen(side);
  let low = Infinity, high = -Infinity;
  if (column) for (const value of column.values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  $('front-log-' + side).disabled = !(low > 0);
  $('front-log-' + side).checked = low > 0 && high > 30 * low;
}

// Points of these rows as x, y, x, y.
function flat(rows, x, y) {
  const points = new Float64Array(2 * rows.length);
  rows.forEach((row, i) => { points[2 * i] = x.values[row]; points[2 * i + 1] = y.values[row]; });
  return points;
}

function groups() {
  const {run, shown} = state, generation = run.table.by.get('generation');
  const others = [], selected = [], newest = [], front = frontUpTo(state.generation), inFront = new Set(front);
  for (let row = 0; row < run.rows; ++row) {
    if (generation && generation.values[row] > state.generation) continue;
    if (!shown[row]) others.push(row);
    else if (generation && generation.values[row] === state.generation) newest.push(row);
    else if (!inFront.has(row)) selected.push(row);
  }
  return {others, selected, newest, front, given: run.given, picked: [...state.picked]};
}

// Red, green, blue and opacity of a colour in a number, as a canvas keeps it.
const numbers = new Map();
function colourNumber(text) {
  if (!numbers.has(text)) {
    const context = element('canvas', {width: 1, height: 1}).getContext('2d');
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    numbers.set(text, new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0]);
  }
  return numbers.get(text);
}

// Where the chart has each row, in pixels of the canvas: axes are linear, or linear in the logarithm.
function placesOf(chart, x, y, scale) {
  const key = [drawn, chart.getWidth(), chart.getHeight(), scale].join('\n');
  if (cloud.at && cloud.at.key === key) return cloud.at;
  const {run} = state, at = {key, x: new Float32Array(run.rows), y: new Float32Array(run.rows)};
  [['x', x], ['y', y]].forEach(([side, column], i) => {
    const log = $('front-log-' + side).checked, turn = log ? Math.log : value => value;
    const {low, high} = extentOf(column), pixel = value => chart.convertToPixel('grid', i ? [extentOf(x).low, value] : [value, extentOf(y).low])[i] * scale;
    const from = pixel(low), slope = high > low ? (pixel(high) - from) / (turn(high) - turn(low)) : 0, start = turn(low);
    for (let row = 0; row < run.rows; ++row) at[side][row] = from + slope * (turn(column.values[row]) - start);
  });
  return cloud.at = at;
}

function extentOf(column) {
  if (column.extent) return column.extent;
  let low = Infinity, high = -Infinity;
  for (const value of column.values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  return column.extent = {low, high};
}

// Squares of these rows, group by group: some hundred thousand pixels are set in the time in which a path of as many points is begun.
function drawCloud(chart, found, x, y) {
  if (!cloud) cloud = {canvas: addUnderlay('front'), at: null};
  const scale = window.devicePixelRatio || 1, wide = Math.round(chart.getWidth() * scale), tall = Math.round(chart.getHeight() * scale), {canvas} = cloud;
  if (canvas.width !== wide || canvas.height !== tall) {
    [canvas.width, canvas.height] = [wide, tall];
    canvas.style.width = chart.getWidth() + 'px';
    canvas.style.height = chart.getHeight() + 'px';
  }
  const context = canvas.getContext('2d'), image = context.createImageData(wide, tall), pixels = new Uint32Array(image.data.buffer), at = placesOf(chart, x, y, scale);
  for (const [rows, tint, size] of [[found.others, 'faded', 3.5], [found.selected, 'other', 3], [found.newest, 'generation', 6]]) {
    const paint = colourNumber(colour(tint)), edge = Math.round(size * scale);
    for (const row of rows) {
      const left = Math.round(at.x[row] - edge / 2), up = Math.round(at.y[row] - edge / 2);
      if (!(left >= 0 && up >= 0 && left + edge <= wide && up + edge <= tall)) continue;  // missing values are nowhere
      for (let v = up; v < up + edge; ++v) pixels.fill(paint, v * wide + left, v * wide + left + edge);
    }
  }
  context.putImageData(image, 0, 0);
}

function scatter(name, rows, x, y, tint, size, more = {}) {
  const large = rows.length > many;  // drawn as squares below 4 pixels, which is many times as fast
  return {id: name, type: 'scatter', name, data: large ? flat(rows, x, y) : rows.map(row => [x.values[row], y.values[row], row]), dimensions: large ? ['x', 'y'] : ['x', 'y', 'row'],
          large, symbolSize: large ? 3.5 : size, itemStyle: {color: tint}, emphasis: {disabled: true}, ...more};
}

function intervalOf(column) {
  const by = state.run.table.by;
  if (/^latency_ms(@|$)/.test(column.name)) {  // behind the @: the class of devices
    const low = by.get(column.name.replace('latency_', 'latency_low_')), high = by.get(column.name.replace('latency_', 'latency_high_'));
    if (low && high) return {low: row => low.values[row], high: row => high.values[row]};
  }
  const error = by.get(column.name + '_se');
  if (error) return {low: row => column.values[row] - error.values[row], high: row => column.values[row] + error.values[row]};
  return null;
}

function intervals(rows, x, y) {
  const across = intervalOf(x), up = intervalOf(y), data = [];
  for (const row of rows.slice(0, mostIntervals)) {
    if (across) data.push([x.values[row], y.values[row], across.low(row), across.high(row), 0]);
    if (up) data.push([x.values[row], y.values[row], up.low(row), up.high(row), 1]);
  }
  return {id: 'intervals', type: 'custom', name: 'intervals', silent: true, clip: true, z: 3, dimensions: ['x', 'y', 'low', 'high', 'up'], encode: {x: 0, y: 1}, data: data.filter(each => each[2] <= each[3]),
          renderItem(none, api) {
            const up = api.value(4) === 1, at = end => up ? api.coord([api.value(0), api.value(end)]) : api.coord([api.value(end), api.value(1)]);
            const [x1, y1] = at(2), [x2, y2] = at(3);
            if (![x1, y1, x2, y2].every(Number.isFinite)) return null;
            return {type: 'line', shape: {x1, y1, x2, y2}, style: {stroke: colour('front'), lineWidth: 1.2, opacity: .7}};
          }};
}

function marks(x, y) {
  const {run} = state, lines = [];
  const add = (column, value, name) => {
    if (column === x) lines.push({xAxis: value, name});
    if (column === y) lines.push({yAxis: value, name});
  };
  const by = run.table.by;
  if (run.real_time_ms > 0 && by.has('latency_ms')) add(by.get('latency_ms'), run.real_time_ms, `${run.real_time_ms} ms a window`);
  for (const demand of run.demands)
    if (by.has(demand.metric) && !(demand.metric === 'latency_ms' && demand.bound === run.real_time_ms)) add(by.get(demand.metric), demand.bound, `${demand.metric} ${demand.relation} ${demand.bound}`);
  const without = by.get('baseline_rmse');
  if (without && by.has('val_rmse')) {
    const least = without.values.reduce((low, value) => value < low ? value : low, Infinity);
    if (Number.isFinite(least)) add(by.get('val_rmse'), least, 'without a network');
  }
  return {id: 'limits', type: 'scatter', data: [], markLine: {silent: true, symbol: 'none', data: lines, lineStyle: {color: colour('limit'), type: 'dashed', width: 1.5},
          label: {formatter: '{b}', color: colour('limit'), position: 'insideEndTop'}}};
}

export function drawFront() {
  const {run} = state, x = chosen('x'), y = chosen('y');
  if (!x || !y) return;
  const chart = chartOf('front'), found = groups(), crowded = run.rows > many;
  const name = column => column.name + (column.unit && !column.name.endsWith('_' + column.unit) ? ` (${column.unit})` : '');
  const corners = ['low', 'high'].map(end => [extentOf(x)[end], extentOf(y)[end]]).filter(point => point.every(Number.isFinite));
  const series = [
    ...(crowded ? [{id: 'not selected', type: 'scatter', silent: true, symbolSize: 0, data: corners}] : [
      scatter('not selected', found.others, x, y, colour('faded'), 5),
      scatter('selected', found.selected, x, y, colour('other'), 6),
      scatter('this generation', found.newest, x, y, colour('generation'), 8)]),
    scatter('given', found.given, x, y, colour('given'), 13, {symbol: 'diamond', large: false}),
    scatter('front', found.front, x, y, colour('front'), 10, {z: 4, itemStyle: {color: colour('front'), opacity: 1}}),
    scatter('picked', found.picked, x, y, 'transparent', 15, {z: 5, itemStyle: {color: 'transparent', borderColor: colour('ink'), borderWidth: 2}}),
    marks(x, y),
  ];
  found.limits = series.at(-1).markLine.data.length > 0;
  if ($('front-errors').checked) series.push(intervals(found.front, x, y));
  if (run.objectives.length === 2 && run.objectives.includes(x.name) && run.objectives.includes(y.name)) {
    const rows = [...found.front].sort((a, b) => x.values[a] - x.values[b]);
    series.push({id: 'steps', type: 'line', step: 'end', silent: true, symbol: 'none', z: 2, lineStyle: {color: colour('front'), width: 1, opacity: .6}, data: rows.map(row => [x.values[row], y.values[row]])});
  }
  const colours = run.compare.length ? colour('series').split(' ') : [];
  run.compare.forEach((other, i) => {
    const a = other.front.by.get(x.name), b = other.front.by.get(y.name);
    if (a && b) series.push({id: `run ${i}`, type: 'scatter', name: other.name, symbol: 'triangle', symbolSize: 9, itemStyle: {color: colours[(i + 1) % colours.length]}, data: Array.from(a.values, (value, k) => [value, b.values[k]])});
  });
  const scale = side => $('front-log-' + side).checked ? {type: 'log'} : {type: 'value'};
  const key = [x.name, y.name, scale('x').type, scale('y').type, colour('ink')].join('\n');
  const own = [state.generation, found.picked.join(' '), $('front-errors').checked].join('\n');
  if (key === drawn && crowded && own === above) {
    // A brush: what the chart itself draws is the same.
  } else if (key === drawn) {  // a brush: only the points are others
    chart.setOption({series}, {replaceMerge: ['series']});
  } else {
    drawn = key;
    chart.setOption(base({
      legend: {show: false}, grid: {left: 78, right: 24, top: 16, bottom: 56},
      xAxis: axis(name(x), scale('x')), yAxis: axis(name(y), {nameGap: 54, ...scale('y')}), series,
      tooltip: {...base().tooltip, formatter: item => {
        const row = item.value && item.value[2];
        return row === undefined ? item.seriesName : tip([`design ${run.ids[row]}`, `${y.name} ${withUnit(y, y.values[row])}`, `${x.name} ${withUnit(x, x.values[row])}`]);
      }},
    }), {notMerge: true});
  }
  above = own;
  if (crowded) drawCloud(chart, found, x, y);
  showLegend(found, colours);
  $('front-errors-control').hidden = !intervalOf(x) && !intervalOf(y);
  describe('front', `${y.name} against ${x.name}: ${found.front.length} designs on the front, ${state.count} selected. Arrow keys go along the front, Enter opens a design.`);
}

function showLegend(found, colours) {
  const entry = (tint, text, kind = '') => element('span', {}, element('i', {class: kind, style: `background:${tint}`}), text);
  const list = [entry(colour('front'), `front (${found.front.length})`), entry(colour('other'), 'selected'), entry(colour('faded'), 'not selected')];
  if (found.newest.length) list.push(entry(colour('generation'), `generation ${state.generation} (${found.newest.length})`));
  if (found.given.length) list.push(entry(colour('given'), 'given designs'));
  if (found.limits) list.push(entry(colour('limit'), 'limits', 'line'));
  state.run.compare.forEach((other, i) => list.push(entry(colours[(i + 1) % colours.length], other.name)));
  const text = list.map(each => each.textContent).join('\n') + colour('ink');
  if ($('front-legend').dataset.shows === text) return;
  $('front-legend').dataset.shows = text;
  $('front-legend').replaceChildren(...list);
}

// The nearest design within a few pixels.
function rowAt(px, py) {
  const {run, shown} = state, x = chosen('x'), y = chosen('y'), chart = chartOf('front');
  const [x0, y0] = chart.convertFromPixel('grid', [px - 14, py + 14]), [x1, y1] = chart.convertFromPixel('grid', [px + 14, py - 14]);
  let best = -1, least = 14;
  const fronts = new Set(frontUpTo(state.generation));
  for (let row = 0; row < run.rows; ++row) {
    const a = x.values[row], b = y.values[row];
    if (!shown[row] && !fronts.has(row) || !(a >= x0 && a <= x1 && b >= y0 && b <= y1)) continue;
    const [qx, qy] = chart.convertToPixel('grid', [a, b]), distance = Math.hypot(qx - px, qy - py) - (fronts.has(row) ? 2 : 0);
    if (distance < least) { least = distance; best = row; }
  }
  return best;
}

function listen() {
  const box = $('front-chart');
  let start = null, frame = null;
  const place = event => { const area = box.getBoundingClientRect(); return [event.clientX - area.left, event.clientY - area.top]; };
  box.addEventListener('pointerdown', event => {
    if (event.button !== 0 || event.pointerType === 'touch') return;
    start = place(event);
  });
  box.addEventListener('pointermove', event => {
    if (!start) return;
    const [px, py] = place(event);
    if (!frame && Math.hypot(px - start[0], py - start[1]) > 5) {
      frame = element('div', {style: `position:absolute;border:1px solid ${colour('accent')};background:color-mix(in srgb, ${colour('accent')} 15%, transparent);pointer-events:none;z-index:5`});
      box.append(frame);
      box.setPointerCapture(event.pointerId);
    }
    if (frame) Object.assign(frame.style, {left: Math.min(px, start[0]) + 'px', top: Math.min(py, start[1]) + 'px', width: Math.abs(px - start[0]) + 'px', height: Math.abs(py - start[1]) + 'px'});
  });
  const finish = event => {
    if (!start) return;
    const from = start, to = place(event), dragged = frame !== null;
    start = null;
    if (frame) frame.remove();
    frame = null;
    if (event.type === 'pointercancel') return;
    if (dragged) {
      const chart = chartOf('front'), a = chart.convertFromPixel('grid', from), b = chart.convertFromPixel('grid', to);
      ['x', 'y'].forEach((side, i) => setFilter(chosen(side).name, Math.min(a[i], b[i]), Math.max(a[i], b[i])));
    } else {
      const row = rowAt(...to);
      if (row >= 0) openDetails(row);
    }
  };
  box.addEventListener('pointerup', finish);
  box.addEventListener('pointercancel', finish);
  box.addEventListener('click', event => { if (event.pointerType === 'touch') { const row = rowAt(...place(event)); if (row >= 0) openDetails(row); } });
  box.addEventListener('keydown', event => {
    const x = chosen('x'), rows = [...frontUpTo(state.generation)].sort((a, b) => x.values[a] - x.values[b]);
    if (rows.length === 0) return;
    if (event.key === 'Enter' && cursor >= 0) {
      event.preventDefault();  // or it would press the button that gets the focus
      openDetails(rows[Math.min(cursor, rows.length - 1)]);
    }
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    cursor = Math.max(0, Math.min(rows.length - 1, cursor < 0 ? 0 : cursor + step));
    const row = rows[cursor], y = chosen('y');
    chartOf('front').dispatchAction({type: 'showTip', seriesId: 'front', seriesIndex: state.run.rows > many ? 2 : 4, dataIndex: frontUpTo(state.generation).indexOf(row)});
    $('count').textContent = `Design ${state.run.ids[row]}: ${y.name} ${withUnit(y, y.values[row])}, ${x.name} ${withUnit(x, x.values[row])}. Enter opens it.`;
  });
}

export function frontCsv() {
  const {run, shown} = state, x = chosen('x'), y = chosen('y'), front = new Set(frontUpTo(state.generation));
  const lines = [['id', 'on_front', 'selected', x.name, y.name].map(csvCell).join(',')];
  for (let row = 0; row < run.rows; ++row) lines.push([run.ids[row], front.has(row) ? 1 : 0, shown[row], x.values[row], y.values[row]].map(value => Number.isNaN(value) ? '' : value).join(','));
  return lines.join('\n') + '\n';
}
