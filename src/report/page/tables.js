// Failures, decisions, other runs, provenance.
import {textAt} from './data.js';
import {openDetails} from './details.js';
import {$, duration, element, fillTable, pairs, short} from './dom.js';
import {setFilter, state} from './state.js';

const mostReasons = 40;

// Reasons that differ only in their numbers are one.
const pattern = reason => reason.replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi, '…');

function counted(entries) {
  const groups = new Map();
  for (const {kind, reason, row} of entries) {
    const key = kind + '\n' + pattern(reason);
    if (!groups.has(key)) groups.set(key, {kind, reason, rows: [], count: 0});
    const group = groups.get(key);
    ++group.count;
    if (row >= 0 && row < state.run.rows) group.rows.push(row);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

const designButton = row => element('button', {type: 'button', on: {click: () => openDetails(row)}}, `design ${state.run.ids[row]}`);

export function drawFailures() {
  const {run, shown} = state, status = run.table.by.get('status'), reason = run.table.by.get('reason'), entries = [];
  for (let row = 0; row < run.rows; ++row)
    if (!run.completed[row] && shown[row]) entries.push({kind: status ? textAt(status, row) : '', reason: reason ? textAt(reason, row) : '', row});
  const groups = counted(entries);
  fillTable($('failures-table'), ['class', 'designs', 'share', 'reason, of one of them', 'look'], groups.slice(0, mostReasons).map(group => [
    group.kind, String(group.count), `${short(100 * group.count / Math.max(1, state.count))} %`, group.reason, group.rows.length ? designButton(group.rows[0]) : '']), [1, 2]);
  if (groups.length === 0) $('failures-table').replaceChildren(element('tbody', {}, element('tr', {}, element('td', {}, 'All selected designs completed.'))));
  const notes = [], table = run.notes;
  for (let i = 0; i < table.rows; ++i) notes.push({kind: textAt(table.by.get('what'), i), reason: textAt(table.by.get('reason'), i), row: Number.isNaN(table.by.get('row').values[i]) ? -1 : table.by.get('row').values[i]});
  fillTable($('notes-table'), ['what', 'times', 'reason, of one of them', 'look'], counted(notes).slice(0, mostReasons).map(group => [group.kind, String(group.count), group.reason, group.rows.length ? designButton(group.rows[0]) : '']), [1]);
  if (table.rows === 0) $('notes-table').replaceChildren(element('tbody', {}, element('tr', {}, element('td', {}, 'None.'))));
}

export function showComparison() {
  const {run} = state;
  if (run.compare.length === 0) return false;
  const least = (values, list) => list.reduce((low, i) => values[i] < low ? values[i] : low, Infinity);
  const shown = value => Number.isFinite(value) ? short(value) : '';
  const mine = [run.name, String(run.rows), String(run.front.length), ...run.objectives.map(name => run.table.by.has(name) ? shown(least(run.table.by.get(name).values, run.front)) : ''), run.hypervolume === null || run.hypervolume === undefined ? '' : short(run.hypervolume)];
  const others = run.compare.map(other => [other.name, String(other.rows), String(other.front.rows), ...run.objectives.map(name => { const column = other.front.by.get(name); return column ? shown(column.values.reduce((low, value) => value < low ? value : low, Infinity)) : ''; }), other.hypervolume === null ? '' : short(other.hypervolume)]);
  fillTable($('comparison-table'), ['run', 'designs', 'front', ...run.objectives.map(name => 'best ' + name), 'hypervolume of the front'], [mine, ...others], run.objectives.map((none, i) => i + 3).concat([1, 2, run.objectives.length + 3]));
  $('comparison-note').textContent = 'Best values are of each front. Hypervolumes are up to the same reference point, and only of runs with the same objectives; compare runs of equal cost.';
  return true;
}

const shellWord = text => /^[\w./:=@%+,-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'";

export function commandOf(run) {
  const starts = run.provenance.starts || [], ranks = (starts.length && starts[starts.length - 1].ranks) || run.provenance.ranks || 1;
  return `mpirun -n ${ranks} edgeloop-search --config ${shellWord(run.folder + '/config.ini')} --run-dir NEW_FOLDER --no-resume`;
}

export function showProvenance() {
  const {run} = state;
  $('command').textContent = run.config ? commandOf(run) : 'config.ini is not there.';
  $('copy-command').addEventListener('click', () => navigator.clipboard && navigator.clipboard.writeText($('command').textContent));
  const about = run.provenance, simple = Object.entries(about).filter(([, value]) => typeof value !== 'object');
  const box = $('provenance-text');
  box.append(element('p', {class: 'hint'}, 'The engine that is chosen by a model depends on the order in which trainings end, so a repeated run of several ranks differs in its designs.'));
  box.append(element('h3', {}, 'What it was made with'), pairs(simple.map(([name, value]) => [name, name.endsWith('_ms') ? new Date(value).toISOString() : String(value)])));
  const fold = (title, content) => content && box.append(element('details', {}, element('summary', {}, title), element('pre', {tabindex: 0}, content)));
  const pretty = value => value && Object.keys(value).length ? JSON.stringify(value, null, 2) : '';
  fold('Conditions of the results', pretty(run.conditions));
  fold('Devices', pretty(about.devices));
  fold('Starts', pretty(about.starts));
  fold('config.ini', run.config);
}

export function showHeader() {
  const {run} = state, status = run.status, tiles = [];
  document.title = `${run.name} – edgeloop report`;
  $('name').textContent = run.name;
  const begun = run.first_ms ? new Date(run.first_ms).toISOString().slice(0, 16).replace('T', ' ') + ' UTC' : '';
  $('subtitle').textContent = [`${status.phase || 'phase unknown'}`, run.provenance.space && `space ${run.provenance.space}`, run.objectives.join(', ') && `objectives ${run.objectives.join(', ')}`, begun && `begun ${begun}`].filter(Boolean).join(' · ');
  const add = (name, value, small = '') => tiles.push(element('div', {}, element('dt', {}, name), element('dd', {}, value, small ? element('small', {}, ' ' + small) : null)));
  add('designs done', String(status.done === undefined ? run.rows : status.done), status.total ? `of ${status.total}` : '');
  add('on the front', String(run.front.length), status.confirmed ? `${status.confirmed} confirmed` : '');
  for (const name of run.objectives) {
    const column = run.table.by.get(name);
    let low = Infinity;
    if (column && !column.words) for (let row = 0; row < run.rows; ++row) if (run.completed[row] && column.values[row] < low) low = column.values[row];
    add('best ' + name, Number.isFinite(low) ? short(low) : '–', column ? column.unit : '');
  }
  if (Number.isFinite(status.hypervolume)) add('hypervolume', short(status.hypervolume));
  const failed = run.rows - run.completed.reduce((sum, one) => sum + one, 0);
  add('not completed', String(failed), run.rows ? `${short(100 * failed / run.rows)} %` : '');
  if (run.last_ms > run.first_ms) add('from first to last event', duration((run.last_ms - run.first_ms) / 1e3));
  if (status.phase === 'running') add('in flight', String(status.running || 0), Number.isFinite(status.eta_s) ? `ETA ${duration(status.eta_s)}` : '');
  $('tiles').append(...tiles);
  const remarks = [...run.remarks];
  if (run.rows === 0) remarks.unshift('No design has ended yet.');
  else if (run.front.length === 0) remarks.unshift('No design is on the front yet.');
  const valid = run.table.by.get('latency_valid');
  if (valid) {
    const bad = run.front.filter(row => valid.values[row] === 0).length;
    if (bad) remarks.unshift(`${bad} of ${run.front.length} designs on the front have a latency that is not valid (disturbed, uncertain or drifted): see their details.`);
  }
  const modelled = run.table.by.get('latency_is_modelled');
  if (modelled && modelled.values.some(value => value === 1)) remarks.unshift('Latencies are modelled, not measured.');
  if (run.table.columns.some(column => /^latency_is_simulated(@|$)/.test(column.name))) remarks.unshift('Latencies in us are those of simulated hardware; clock_is_assumed and resources_are_estimated say where the other figures are from.');
  $('remarks').append(...remarks.map(remark => element('p', {}, remark)));
  $('made').textContent = `Made ${new Date(run.made_ms).toISOString().slice(0, 19).replace('T', ' ')} UTC by edgeloop-report ${run.by}. Drawn with Apache ECharts (Apache-2.0).`;
}

export function showChips() {
  const {run} = state, chips = [];
  for (const [name, [low, high]] of state.filters) {
    const column = run.table.by.get(name);
    let text;
    if (column.words) {
      const words = column.words.filter((word, i) => i >= low && i <= high);
      text = words.length === 1 ? `${name} is ${words[0]}` : `${name}: ${words.length} of ${column.words.length} values`;
    } else {
      text = low === -Infinity ? `${name} ≤ ${short(high)}` : high === Infinity ? `${name} ≥ ${short(low)}` : `${name} ${short(low)} to ${short(high)}`;
    }
    chips.push(element('li', {}, element('button', {type: 'button', 'aria-label': `Take back: ${text}`, on: {click: () => setFilter(name, null)}}, text + ' ✕')));
  }
  $('chips').replaceChildren(...chips);
  $('count').textContent = `${state.count} of ${run.rows} designs selected` + (state.picked.size ? `, ${state.picked.size} picked` : '');
  const slider = $('generation'), most = Number(slider.max);
  slider.value = Number.isFinite(state.generation) ? state.generation : most;
  $('generation-text').textContent = Number.isFinite(state.generation) ? `up to ${state.generation} of ${most}` : `all (${most})`;
}
