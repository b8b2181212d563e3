// The one selection that every view reads, and who is told when it changes.
import {textAt} from './data.js';

export const state = {
  run: null,
  filters: new Map(),   // column name -> [low, high], of texts in places of its words
  search: '',
  generation: Infinity, // of the slider: later ones are not shown
  picked: new Set(),    // rows
  shown: null,          // Uint8Array: 1 for rows that pass
  count: 0,
  focus: -1,            // the row that was looked at last
};

const views = [];

// A view draws when it can be seen, and is marked otherwise. One that may be late waits for a brush to rest.
export function addView(id, draw, late = false) {
  const view = {element: document.getElementById(id), draw, late, visible: false, stale: true};
  views.push(view);
  return view;
}

function drawView(view) {
  view.stale = false;
  view.draw();
}

export function watchViews() {
  const observer = new IntersectionObserver(entries => {
    for (const entry of entries) {
      const view = views.find(each => each.element === entry.target);
      view.visible = entry.isIntersecting;
      if (view.visible && view.stale) drawView(view);
    }
  }, {rootMargin: '200px'});
  for (const view of views) observer.observe(view.element);
  window.addEventListener('beforeprint', () => views.forEach(drawView));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
}

export function redraw() {
  for (const view of views) {
    view.stale = true;
    if (view.visible) drawView(view);
  }
}

const restMs = 80;
let due = 0, resting = 0;

function drawSoon() {
  for (const view of views) view.stale = true;
  for (const view of views) if (view.visible && !view.late) drawView(view);
  clearTimeout(resting);
  resting = setTimeout(() => {
    for (const view of views) if (view.visible && view.stale) drawView(view);
    document.documentElement.dataset.pending = '';
  }, restMs);
}

let texts = null;  // of rows, for the search

function searchTexts() {
  const columns = state.run.table.columns;
  texts = [];
  for (let row = 0; row < state.run.rows; ++row) {
    let text = '';
    for (const column of columns)
      if (column.words || column.role === 'id' || column.role === 'gene') text += column.name + '=' + textAt(column, row) + '\n';
    texts.push(text.toLowerCase());
  }
}

export function select() {
  const {run} = state, shown = new Uint8Array(run.rows).fill(1);
  for (const [name, [low, high]] of state.filters) {
    const values = run.table.by.get(name).values;
    for (let row = 0; row < run.rows; ++row)
      if (!(values[row] >= low && values[row] <= high)) shown[row] = 0;
  }
  const generation = run.table.by.get('generation');
  if (generation && Number.isFinite(state.generation))
    for (let row = 0; row < run.rows; ++row)
      if (generation.values[row] > state.generation) shown[row] = 0;
  const words = state.search.toLowerCase().split(/\s+/).filter(word => word);
  if (words.length > 0) {
    if (!texts) searchTexts();
    for (let row = 0; row < run.rows; ++row)
      if (!words.every(word => texts[row].includes(word) || (word === 'front' && run.frontSet.has(row)))) shown[row] = 0;
  }
  state.shown = shown;
  state.count = shown.reduce((sum, one) => sum + one, 0);
}

// Something about the selection changed: everything is drawn again in the next frame, the table a little later.
export function changed() {
  select();
  document.documentElement.dataset.pending = 'yes';
  if (due) return;
  due = requestAnimationFrame(() => {
    due = 0;
    drawSoon();
  });
}

export function setFilter(name, low, high) {
  if (low === null) state.filters.delete(name);
  else state.filters.set(name, [low, high]);
  changed();
}

export function clearAll() {
  state.filters.clear();
  state.search = '';
  state.generation = Infinity;
  state.picked.clear();
  document.getElementById('search').value = '';
  changed();
}

// Rows of the front among those up to a generation, ascending by the first objective.
const fronts = new Map();
export function frontUpTo(generation) {
  const {run} = state;
  if (!Number.isFinite(generation)) return run.front;
  if (fronts.has(generation)) return fronts.get(generation);
  const objectives = run.objectives.map(name => run.table.by.get(name)).filter(column => column);
  const generations = run.table.by.get('generation').values;
  const rows = [];
  for (let row = 0; row < run.rows; ++row)
    if (run.completed[row] && generations[row] <= generation && objectives.every(column => Number.isFinite(column.values[row]))) rows.push(row);
  const noWorse = (a, b) => objectives.every(column => column.values[a] <= column.values[b]);
  rows.sort((a, b) => {
    for (const column of objectives)
      if (column.values[a] !== column.values[b]) return column.values[a] - column.values[b];
    return a - b;
  });
  const front = [];  // in this order nobody is dominated by a later one
  for (const row of rows)
    if (!front.some(other => noWorse(other, row))) front.push(row);
  fronts.set(generation, front);
  return front;
}

// What a reload must not lose.
export function remember() {
  const kept = {filters: [...state.filters], search: state.search, generation: Number.isFinite(state.generation) ? state.generation : null,
                picked: [...state.picked].map(row => state.run.ids[row]), scroll: window.scrollY};
  try { sessionStorage.setItem('edgeloop-report', JSON.stringify(kept)); } catch (error) { /* not allowed here: a reload forgets */ }
}

export function recall() {
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem('edgeloop-report')); sessionStorage.removeItem('edgeloop-report'); } catch (error) { /* likewise */ }
  if (!kept) return;
  for (const [name, range] of kept.filters) if (state.run.table.by.has(name)) state.filters.set(name, range);
  state.search = kept.search;
  document.getElementById('search').value = kept.search;
  if (kept.generation !== null) state.generation = kept.generation;
  for (const id of kept.picked) if (state.run.rowOf.has(id)) state.picked.add(state.run.rowOf.get(id));
  requestAnimationFrame(() => window.scrollTo(0, kept.scroll));
}
