// The table of designs: the twin of all drawings.
import {textAt} from './data.js';
import {openDetails} from './details.js';
import {$, csvCell, download, element, short} from './dom.js';
import {changed, setFilter, state} from './state.js';

const pageRows = 50;
let visible = [], sorted = {name: null, down: false}, page = 0;
const kept = new Map();  // lines of the table, by row, for the columns that are visible
const mostKept = 1000;

export function prepareTable() {
  const {run} = state, columns = run.table.columns;
  const first = new Set(columns.filter(column => ['id', 'status', 'objective', 'gene'].includes(column.role) || /^(latency_valid|device)(@|$)/.test(column.name) || ['generation', 'parameters'].includes(column.name)));
  for (const column of columns) {
    const box = element('input', {type: 'checkbox', checked: first.has(column)});
    box.addEventListener('change', () => { box.checked ? first.add(column) : first.delete(column); arrange(); });
    $('table-columns').append(element('label', {}, box, ' ' + column.name));
  }
  function arrange() { visible = columns.filter(column => first.has(column)); kept.clear(); drawTable(); }
  $('filter-column').append(...columns.filter(column => !(column.words && column.words.length > 200)).map(column => element('option', {value: column.name}, column.name)));
  const status = run.table.by.get('status');
  $('filter-column').value = status ? 'status' : columns.length ? columns[0].name : '';
  $('filter-column').addEventListener('change', askForFilter);
  $('filter-add').addEventListener('click', addFilter);
  for (const id of ['filter-low', 'filter-high']) $(id).addEventListener('keydown', event => { if (event.key === 'Enter') addFilter(); });
  $('page-back').addEventListener('click', () => { --page; drawTable(); });
  $('page-on').addEventListener('click', () => { ++page; drawTable(); });
  $('export-shown').addEventListener('click', () => exportRows(rowsInOrder(), 'selected'));
  $('export-picked').addEventListener('click', () => exportRows(rowsInOrder(row => state.picked.has(row)), 'picked'));
  askForFilter();
  arrange();
}

function askForFilter() {
  const column = state.run.table.by.get($('filter-column').value);
  const words = column && column.words;
  $('filter-word-control').hidden = !words;
  $('filter-low-control').hidden = $('filter-high-control').hidden = Boolean(words);
  if (words) $('filter-word').replaceChildren(...words.map((word, i) => element('option', {value: i}, word)));
}

function addFilter() {
  const column = state.run.table.by.get($('filter-column').value);
  if (!column) return;
  if (column.words) { setFilter(column.name, Number($('filter-word').value), Number($('filter-word').value)); return; }
  const bound = (id, none) => { const text = $(id).value.trim(), value = Number(text); return text === '' || Number.isNaN(value) ? none : value; };
  const low = bound('filter-low', -Infinity), high = bound('filter-high', Infinity);
  if (low === -Infinity && high === Infinity) setFilter(column.name, null);
  else setFilter(column.name, low, high);
}

function rowsInOrder(passes = row => state.shown[row]) {
  const {run} = state, rows = [], column = run.table.by.get(sorted.name);
  for (let row = 0; row < run.rows; ++row) if (passes(row)) rows.push(row);
  if (sorted.name === null) {  // the front first
    const place = new Map(run.front.map((row, i) => [row, i]));
    return rows.filter(row => place.has(row)).sort((a, b) => place.get(a) - place.get(b)).concat(rows.filter(row => !place.has(row)));
  }
  const sign = sorted.down ? -1 : 1;
  return rows.sort((a, b) => {
    const x = column.values[a], y = column.values[b];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
    return sign * (x - y) || a - b;
  });
}

function heading(column) {
  const isSorted = sorted.name === column.name;
  const button = element('button', {type: 'button', on: {click: () => {
    sorted = {name: column.name, down: isSorted && !sorted.down};
    page = 0;
    drawTable();
    const again = [...$('designs').querySelectorAll('thead button')].find(each => each.dataset.column === column.name);
    if (again) again.focus();
  }}}, column.name + (isSorted ? sorted.down ? ' ▼' : ' ▲' : ''));
  button.dataset.column = column.name;
  return element('th', {scope: 'col', class: column.words ? null : 'number', 'aria-sort': isSorted ? sorted.down ? 'descending' : 'ascending' : null}, button);
}

function lineOf(row) {
  if (!kept.has(row)) {
    if (kept.size >= mostKept) kept.clear();
    kept.set(row, newLine(row));
  }
  kept.get(row).querySelector('input').checked = state.picked.has(row);
  return kept.get(row);
}

function newLine(row) {
  const {run} = state, id = run.ids[row];
  const box = element('input', {type: 'checkbox', 'aria-label': `Pick design ${id}`, checked: state.picked.has(row)});
  box.addEventListener('change', () => { box.checked ? state.picked.add(row) : state.picked.delete(row); changed(); });
  const cells = visible.map(column => {
    if (column.role === 'id') return element('th', {scope: 'row', class: 'number', 'data-value': textAt(column, row)}, element('button', {type: 'button', class: 'open', 'aria-label': `Details of design ${id}`, on: {click: () => openDetails(row)}}, String(id)));
    return element('td', {class: column.words ? null : 'number', 'data-value': textAt(column, row)}, column.words ? textAt(column, row) : short(column.values[row]));
  });
  const made = element('tr', {class: run.frontSet.has(row) ? 'front' : null}, element('td', {}, box), element('td', {}, run.frontSet.has(row) ? 'front' : ''), ...cells);
  made.dataset.row = row;
  return made;
}

export function drawTable() {
  const rows = rowsInOrder(), pages = Math.max(1, Math.ceil(rows.length / pageRows)), focused = document.activeElement;
  page = Math.max(0, Math.min(page, pages - 1));
  const picked = focused && focused.closest && focused.closest('#designs tr') && focused.type === 'checkbox' ? focused.closest('tr').dataset.row : null;
  const head = $('designs').tHead, body = $('designs').tBodies[0], heads = [sorted.name, sorted.down, ...visible.map(column => column.name)].join('\n');
  if (head.dataset.shows !== heads) {
    head.dataset.shows = heads;
    head.replaceChildren(element('tr', {}, element('th', {scope: 'col'}, 'pick'), element('th', {scope: 'col'}, 'front'), ...visible.map(heading)));
  }
  const wanted = rows.slice(page * pageRows, (page + 1) * pageRows).map(lineOf);
  // Lines that are there stay: taking them out and in again would lay all of them out.
  if (wanted.length !== body.rows.length || wanted.some((line, i) => line !== body.rows[i])) body.replaceChildren(...wanted);
  if (picked !== null) { const again = $('designs').querySelector(`tr[data-row="${picked}"] input`); if (again) again.focus(); }
  $('page-text').textContent = `Page ${page + 1} of ${pages}`;
  $('page-back').disabled = page === 0;
  $('page-on').disabled = page === pages - 1;
  $('export-picked').disabled = state.picked.size === 0;
}

function exportRows(rows, what) {
  const {run} = state, columns = run.table.columns;
  const lines = [columns.map(column => csvCell(column.name)).join(',')];
  for (const row of rows) lines.push(columns.map(column => column.words ? csvCell(textAt(column, row)) : textAt(column, row)).join(','));
  download(`${run.name}-${what}.csv`, 'text/csv', lines.join('\n') + '\n');
}
