// Everything about one design.
import {textAt} from './data.js';
import {$, duration, element, fillTable, pairs, seriesColours, short, withUnit} from './dom.js';
import {changed, state} from './state.js';

const latencies = ['latency_min_ms', 'latency_low_ms', 'latency_ms', 'latency_high_ms', 'latency_p90_ms', 'latency_p99_ms', 'latency_max_ms'];

export function openDetails(row) {
  const {run} = state, dialog = $('details');
  state.focus = row;
  $('details-title').textContent = `Design ${run.ids[row]}`;
  const body = $('details-body');
  body.replaceChildren(...[facts(row), ...measuredOn().flatMap(of => [latencyFigure(row, of), latencyFacts(row, of)]), learning(row), curves(row), genes(row), layers(row), relatives(row), history(row), conditions(row), everything(row), spec(row)].filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

export function prepareDetails() {
  const dialog = $('details');
  $('details-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
}

const part = (title, ...content) => element('section', {}, element('h3', {}, title), ...content);
const column = name => state.run.table.by.get(name);
const valueIn = (name, row) => column(name) ? column(name).values[row] : NaN;
const cell = (name, row) => column(name) ? textAt(column(name), row) : '';
// Behind the names of metrics: the classes of devices that the run names ('@board'), or nothing.
const classOf = name => name.includes('@') ? name.slice(name.indexOf('@')) : '';
const measuredOn = () => [...new Set(state.run.table.columns.filter(each => /^(latency|pipeline|energy)_/.test(each.name)).map(each => classOf(each.name)))];
const ofClass = of => of ? ` (${of.slice(1)})` : '';

function facts(row) {
  const {run} = state, list = [['status', cell('status', row) || 'not known']];
  if (cell('reason', row)) list.push(['reason', cell('reason', row)]);
  list.push(['on the front', run.frontSet.has(row) ? 'yes' : 'no' + dominatedBy(row)]);
  for (const name of run.objectives) {
    if (!column(name)) continue;
    const error = valueIn(name + '_se', row), count = valueIn(name + '_n', row);
    list.push([name, (withUnit(column(name), valueIn(name, row)) || 'missing') + (Number.isFinite(error) ? ` ± ${short(error)} (mean of ${count})` : '')]);
  }
  for (const each of run.importance) if (each.predicted && Number.isFinite(each.predicted[row])) list.push([`${each.objective}, predicted by forests`, short(each.predicted[row])]);
  const devices = run.table.columns.map(each => each.name).filter(name => /^device(@|$)/.test(name));
  for (const name of ['generation', 'epochs', 'parameters', 'flops', ...devices, 'conditions']) if (cell(name, row)) list.push([name, column(name).words ? cell(name, row) : withUnit(column(name), valueIn(name, row))]);
  const made = run.givenSet.has(row) ? element('p', {}, 'It was given to the search (--seed-specs).') : null;
  const pick = element('button', {type: 'button', on: {click: () => { state.picked.has(row) ? state.picked.delete(row) : state.picked.add(row); changed(); pick.textContent = state.picked.has(row) ? 'Unpick' : 'Pick'; }}}, state.picked.has(row) ? 'Unpick' : 'Pick');
  return element('section', {}, pairs(list), made, pick);
}

function dominatedBy(row) {
  const {run} = state, objectives = run.objectives.map(column).filter(Boolean);
  if (!run.completed[row] || objectives.some(each => !Number.isFinite(each.values[row]))) return '';
  const better = run.front.filter(other => other !== row && objectives.every(each => each.values[other] <= each.values[row]) && objectives.some(each => each.values[other] < each.values[row]));
  return better.length ? `: ${better.slice(0, 3).map(other => run.ids[other]).join(', ')} ${better.length > 3 ? `and ${better.length - 3} more are` : 'better'} in all objectives or equal`.replace('more are in', 'more are better in') : '';
}

function latencyFacts(row, of) {
  const list = state.run.table.columns.filter(each => classOf(each.name) === of && /^(latency_|pipeline_|preprocess_|build_ms|peak_memory|base_memory|energy_|reference_drift|model_size)/.test(each.name) && Number.isFinite(each.values[row]));
  if (list.length === 0) return null;
  const value = (name, row) => valueIn(name + of, row);
  const validity = value('latency_valid', row), why = [];
  if (validity === 0) {
    const disturbed = value('latency_disturbed', row), drift = value('reference_drift', row), samples = value('latency_samples', row);
    const half = (value('latency_high_ms', row) - value('latency_low_ms', row)) / 2 / value('latency_ms', row);
    if (Number.isFinite(half)) why.push(`the interval of the median is ± ${short(100 * half)} %`);
    if (Number.isFinite(samples)) why.push(`${samples} timed runs`);
    if (disturbed > 0) why.push(`${short(100 * disturbed)} % of the runs were disturbed`);
    if (Number.isFinite(drift)) why.push(`the reference had drifted by ${short(100 * drift)} %`);
  }
  const verdict = validity === 0 ? element('p', {class: 'bad'}, `Not valid${why.length ? ': ' + why.join(', ') : ''}.`) : validity === 1 ? element('p', {class: 'good'}, 'Valid.') : null;
  return part('Latency and memory' + ofClass(of), verdict, pairs(list.map(each => [each.name, withUnit(each, each.values[row])])));
}

// An SVG and what adds an element to it.
function drawing(width, height, label) {
  const ns = 'http://www.w3.org/2000/svg', svg = document.createElementNS(ns, 'svg');
  for (const [name, set] of Object.entries({viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label})) svg.setAttribute(name, set);
  return {svg, draw(tag, attributes, text) {
    const made = document.createElementNS(ns, tag);
    for (const [name, set] of Object.entries(attributes)) made.setAttribute(name, set);
    if (text) made.textContent = text;
    svg.append(made);
  }};
}

// Where the known quantiles lie, on one line.
function latencyFigure(row, of) {
  const value = (name, row) => valueIn(name + of, row);
  const known = latencies.map(name => [name, value(name, row)]).filter(([, at]) => Number.isFinite(at) && at > 0);
  if (known.length < 3) return null;
  const low = Math.min(...known.map(([, at]) => at)), high = Math.max(...known.map(([, at]) => at)), wide = high > 20 * low;
  const x = at => 20 + 520 * (high === low ? .5 : wide ? Math.log(at / low) / Math.log(high / low) : (at - low) / (high - low));
  const {svg, draw} = drawing(560, 92, known.map(([name, at]) => `${name} ${short(at)}`).join(', '));
  draw('line', {x1: 20, x2: 540, y1: 46, y2: 46, stroke: 'currentColor', opacity: .4});
  const a = value('latency_low_ms', row), b = value('latency_high_ms', row);
  if (a > 0 && b >= a) draw('rect', {x: x(a), y: 38, width: Math.max(2, x(b) - x(a)), height: 16, fill: 'var(--front)', opacity: .35});
  const names = {latency_min_ms: 'min', latency_ms: 'median', latency_p90_ms: 'p90', latency_p99_ms: 'p99', latency_max_ms: 'max'};
  let last = -Infinity, place = 0;
  for (const [name, at] of known.filter(([each]) => names[each]).sort((p, q) => p[1] - q[1])) {
    draw('line', {x1: x(at), x2: x(at), y1: 34, y2: 58, stroke: name === 'latency_ms' ? 'var(--front)' : 'currentColor', 'stroke-width': name === 'latency_ms' ? 3 : 1.5});
    place = x(at) - last < 110 ? (place + 1) % 3 : 0;
    last = x(at);
    draw('text', {x: x(at), y: [26, 74, 12][place], 'text-anchor': x(at) < 60 ? 'start' : x(at) > 500 ? 'end' : 'middle', 'font-size': 11, fill: 'currentColor'}, `${names[name]} ${short(at)}`);
  }
  return part(`Latency on the device${ofClass(of)}, ms`, svg, element('p', {class: 'hint'}, `Band: the interval of the median. ${wide ? 'Logarithmic. ' : ''}The run keeps these figures, not each timed run.`));
}

function learning(row) {
  const table = state.run.trainings, metrics = table.columns.filter(each => each.name.startsWith('metric:')), rows = [];
  for (let i = 0; i < table.rows; ++i) {
    if (table.by.get('row').values[i] !== row) continue;
    const at = name => table.by.get(name).values[i], seconds = (at('end') - at('start')) / 1e3;
    rows.push([at('repeat') ? `repeat ${at('repeat')}` : 'first', textAt(table.by.get('status'), i) || (Number.isFinite(at('end')) ? 'completed' : 'not ended'), duration(seconds), ...metrics.map(each => short(each.values[i])), textAt(table.by.get('reason'), i)]);
  }
  if (rows.length === 0) return null;
  const made = element('table');
  fillTable(made, ['training', 'status', 'took', ...metrics.map(each => each.name.slice(7)), 'reason'], rows, [2, ...metrics.map((none, i) => i + 3)]);
  return part('Trainings', element('div', {class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Trainings'}, made), element('p', {class: 'hint'}, 'One line for each training and each rung; repeats have other seeds.'));
}

// What each epoch of its trainings came to, drawn and as a table.
function curves(row) {
  const {run} = state, table = run.curves, trainings = run.trainings.by, epochs = table.by.get('epoch'), lines = new Map();
  if (!epochs) return null;
  for (let i = 0; i < table.rows; ++i) {
    const training = table.by.get('training').values[i];
    if (trainings.get('row').values[training] !== row) continue;
    const repeat = trainings.get('repeat').values[training];
    if (!lines.has(repeat)) lines.set(repeat, []);
    lines.get(repeat).push(i);
  }
  if (lines.size === 0) return null;
  const metrics = table.columns.filter(each => each.name.startsWith('metric:')), rows = [];
  for (const [repeat, list] of lines) for (const i of list) rows.push([repeat ? `repeat ${repeat}` : 'first', String(epochs.values[i]), ...metrics.map(each => short(each.values[i]))]);
  const made = element('table');
  fillTable(made, ['training', 'epoch', ...metrics.map(each => each.name.slice(7))], rows, [1, ...metrics.map((none, i) => i + 2)]);
  return part('Learning curves', curveFigure(lines, epochs.values, metrics.filter(each => each.name !== 'metric:learning_rate')),
              element('details', {}, element('summary', {}, `${rows.length} epochs`), element('div', {class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Epochs'}, made)));
}

function curveFigure(lines, epochs, metrics) {
  const all = [...lines.values()].flat(), values = metrics.flatMap(each => all.map(i => each.values[i])).filter(at => at > 0);
  if (values.length < 2) return null;
  const last = Math.max(...all.map(i => epochs[i])), low = Math.log(Math.min(...values)), high = Math.log(Math.max(...values)), tints = seriesColours();
  const x = epoch => 62 + 470 * (last > 1 ? (epoch - 1) / (last - 1) : .5), y = value => 12 + 150 * (high > low ? (high - Math.log(value)) / (high - low) : .5);
  const {svg, draw} = drawing(560, 210, metrics.map(each => { const known = all.filter(i => Number.isFinite(each.values[i])).map(i => short(each.values[i])); return `${each.name.slice(7)} from ${known[0]} to ${known.at(-1)}`; }).join(', '));
  draw('path', {d: 'M62 12V162H532', fill: 'none', stroke: 'currentColor', opacity: .4});
  for (const at of [Math.exp(high), Math.exp(low)]) draw('text', {x: 56, y: y(at) + 4, 'text-anchor': 'end', 'font-size': 11, fill: 'currentColor'}, short(Number(at.toPrecision(3))));
  draw('text', {x: 62, y: 178, 'font-size': 11, fill: 'currentColor'}, 'epoch 1');
  draw('text', {x: 532, y: 178, 'text-anchor': 'end', 'font-size': 11, fill: 'currentColor'}, String(last));
  metrics.forEach((metric, k) => {
    for (const [repeat, list] of lines) {
      const points = list.filter(i => metric.values[i] > 0).map(i => [x(epochs[i]), y(metric.values[i])]);
      if (points.length > 1) draw('polyline', {points: points.map(each => each.join(' ')).join(','), fill: 'none', stroke: tints[k % tints.length], 'stroke-width': repeat ? 1 : 2, opacity: repeat ? .5 : 1});
      for (const [cx, cy] of points) draw('circle', {cx, cy, r: points.length > 1 ? 2 : 4, fill: tints[k % tints.length], opacity: repeat ? .5 : 1});
    }
    draw('circle', {cx: 70 + 150 * k, cy: 196, r: 4, fill: tints[k % tints.length]});
    draw('text', {x: 78 + 150 * k, y: 200, 'font-size': 11, fill: 'currentColor'}, metric.name.slice(7));
  });
  return svg;
}

function genes(row) {
  const list = state.run.table.columns.filter(each => each.role === 'gene');
  return list.length ? part('Genes', pairs(list.map(each => [each.name, textAt(each, row) || 'does not apply']))) : null;
}

function layers(row) {
  const found = state.run.specs.layers[row];
  if (!found) return null;
  const made = element('table');
  fillTable(made, ['layer', 'kind', 'output', 'parameters', 'MFLOP'], found.map(([name, kind, shape, parameters, flops]) => [name, kind, shape.join('×'), String(parameters), short(flops / 1e6)]), [3, 4]);
  return part('Layers', element('div', {class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Layers'}, made));
}

const geneColumns = () => state.run.table.columns.filter(each => each.role === 'gene');
const toDesign = row => element('button', {type: 'button', on: {click: () => openDetails(row)}}, `design ${state.run.ids[row]}`);

function changes(from, to) {
  const changed = geneColumns().filter(each => !Object.is(each.values[to], each.values[from]));
  return changed.map(each => `${each.name} ${textAt(each, from) || '–'} → ${textAt(each, to) || '–'}`).join(', ') || 'same genes';
}

// Parents, children and where the line began, by rows. Runs of older releases do not record parents.
function relatives(row) {
  const {run} = state, recorded = run.mothers.some(Number.isFinite);
  if (!recorded) return nearest(row);
  const parents = run.parentsOf(row), children = [], origin = new Set(), seen = new Set(), open = [...parents];
  for (let other = 0; other < run.rows; ++other) if (run.mothers[other] === run.ids[row] || run.fathers[other] === run.ids[row]) children.push(other);
  while (open.length) {
    const next = open.pop(), above = run.parentsOf(next);
    if (seen.has(next)) continue;
    seen.add(next);
    above.length ? open.push(...above) : origin.add(next);
  }
  const bred = parents.length ? element('ul', {class: 'parents'}, ...parents.map(other => element('li', {}, toDesign(other), ' ' + changes(other, row)))) : element('p', {}, 'It was sampled or given, and has no parents.');
  const buttons = list => [...list].slice(0, 12).flatMap(other => [toDesign(other), ' ']).concat(list.length > 12 ? [`and ${list.length - 12} more`] : []);
  return part('Parents', bred,
              seen.size > parents.length ? element('p', {}, `The line has ${seen.size} designs before it and began with `, ...buttons([...origin].sort((a, b) => a - b)), '.') : null,
              children.length ? element('p', {class: 'children'}, `${children.length} ${children.length === 1 ? 'child' : 'children'}: `, ...buttons(children)) : null);
}

// Who is alike and came before.
function nearest(row) {
  const {run} = state, list = geneColumns(), generation = column('generation');
  if (list.length === 0 || !generation || run.rows > 20000) return null;
  const spans = list.map(each => { let low = Infinity, high = -Infinity; for (const at of each.values) if (Number.isFinite(at)) { low = Math.min(low, at); high = Math.max(high, at); } return high > low ? high - low : 1; });
  const differs = (a, b) => list.reduce((sum, each, i) => {
    const x = each.values[a], y = each.values[b];
    if (Number.isNaN(x) || Number.isNaN(y)) return sum + (Number.isNaN(x) && Number.isNaN(y) ? 0 : 1);
    return sum + (each.words ? Number(x !== y) : Math.min(1, .3 * (x !== y) + Math.abs(x - y) / spans[i]));
  }, 0);
  const earlier = [];
  for (let other = 0; other < run.rows; ++other) if (generation.values[other] < generation.values[row]) earlier.push([differs(row, other), other]);
  earlier.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (earlier.length === 0) return null;
  return part('Nearest designs of earlier generations', element('ul', {}, ...earlier.slice(0, 3).map(([, other]) => element('li', {}, toDesign(other), ' ' + changes(other, row)))),
              element('p', {class: 'hint'}, 'By genes. The journal does not record which designs were its parents.'));
}

function history(row) {
  const {run} = state, table = run.notes, lines = [], proposed = run.times.by.get('proposed').values[row], ended = run.times.by.get('ended').values[row];
  if (Number.isFinite(proposed)) lines.push([proposed, 'proposed']);
  for (let i = 0; i < table.rows; ++i) if (table.by.get('row').values[i] === row) lines.push([table.by.get('time').values[i], `${textAt(table.by.get('what'), i)}: ${textAt(table.by.get('reason'), i)}`]);
  const measured = run.measurements;
  for (let i = 0; i < measured.rows; ++i) if (measured.by.get('row').values[i] === row) lines.push([measured.by.get('end').values[i], `measured by ${textAt(measured.by.get('device'), i) || 'a device'}: ${textAt(measured.by.get('status'), i) || 'completed'} ${textAt(measured.by.get('reason'), i)}`]);
  if (Number.isFinite(ended)) lines.push([ended, cell('status', row)]);
  if (lines.length === 0) return null;
  lines.sort((a, b) => a[0] - b[0]);
  return part('What happened', pairs(lines.slice(0, 60).map(([at, text]) => [duration(at / 1e3), text])));
}

function conditions(row) {
  const record = state.run.records[row];
  return record ? part('Conditions on the device', element('details', {}, element('summary', {}, 'Record of the measurement'), element('pre', {tabindex: 0}, JSON.stringify(record, null, 2)))) : null;
}

function everything(row) {
  return part('All columns', element('details', {}, element('summary', {}, 'As in evaluations.csv'), pairs(state.run.table.columns.map(each => [each.name, textAt(each, row)]))));
}

function spec(row) {
  const {run} = state, place = run.specs.rows.indexOf(row);
  if (place < 0) return run.specs.rows.length ? part('Design', element('p', {class: 'hint'}, 'Left out to keep this page small; journal.jsonl has it.')) : null;
  return part('Design', element('pre', {tabindex: 0}, JSON.stringify(run.specs.specs[place], null, 2)));
}
