// Puts the page together.
import {addDownloads} from './charts.js';
import {readRun} from './data.js';
import {prepareDetails} from './details.js';
import {$, element} from './dom.js';
import {drawFront, frontCsv, prepareFront} from './front.js';
import {drawImportance, drawPredicted, importanceCsv, predictedCsv, prepareImportance} from './importance.js';
import {drawParallel, prepareParallel} from './parallel.js';
import {drawProgress, prepareProgress, progressCsv} from './progress.js';
import {addView, changed, clearAll, recall, remember, select, state, watchViews} from './state.js';
import {drawFailures, showChips, showComparison, showHeader, showProvenance} from './tables.js';
import {drawTable, prepareTable} from './table.js';
import {drawTimeline, prepareTimeline, timelineCsv} from './timeline.js';

function prepareToolbar() {
  const generation = state.run.table.by.get('generation');
  let most = 0;
  if (generation) for (const value of generation.values) if (value > most) most = value;
  $('generation').max = most;
  $('generation-control').hidden = most === 0;
  $('generation').addEventListener('input', () => {
    const value = Number($('generation').value);
    state.generation = value >= most ? Infinity : value;
    changed();
  });
  let typing = 0;
  $('search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => { state.search = $('search').value; changed(); }, 120);
  });
  $('clear').addEventListener('click', clearAll);
}

function showContents() {
  for (const section of document.querySelectorAll('main > section:not([hidden])'))
    $('contents').append(element('li', {}, element('a', {href: '#' + section.id}, section.dataset.title)));
}

function reloadNowAndThen() {
  if (!(state.run.reload_s > 0)) return;
  setInterval(() => {
    if (document.hidden || $('details').open) return;
    remember();
    location.reload();
  }, 1000 * state.run.reload_s);
}

async function start() {
  const began = performance.now(), {run} = state;
  recall();
  select();
  showHeader();
  const some = run.rows > 0;
  $('front').hidden = !some || run.objectives.length === 0;
  $('parallel').hidden = $('table').hidden = $('toolbar').hidden = $('progress').hidden = !some;
  $('failures').hidden = !some && run.notes.rows === 0;
  prepareToolbar();
  prepareDetails();
  addView('toolbar', showChips).visible = true;
  if (some) {
    if (!$('front').hidden) { prepareFront(); addView('front', drawFront); }
    prepareTable();
    addView('table', drawTable, true);
    if (prepareProgress()) addView('progress', drawProgress);
    else $('progress').hidden = true;
  }
  const important = prepareImportance();
  $('importance').hidden = $('predicted').hidden = !important;
  if (important) { addView('importance', drawImportance); addView('predicted', drawPredicted, true); }
  $('timeline').hidden = !prepareTimeline();
  if (!$('timeline').hidden) addView('timeline', drawTimeline, true);
  addView('failures', drawFailures, true);
  $('comparison').hidden = !showComparison();
  showProvenance();
  if (some) { prepareParallel(); addView('parallel', drawParallel); }
  addDownloads(run, {front: frontCsv, progress: progressCsv, importance: importanceCsv, predicted: predictedCsv, timeline: timelineCsv});
  showContents();
  showChips();
  watchViews();
  reloadNowAndThen();
  document.documentElement.dataset.ready = String(Math.round(performance.now() - began));
}

document.addEventListener('DOMContentLoaded', async () => {
  try {
    state.run = await readRun($('data').textContent);
    await start();
  } catch (error) {
    $('subtitle').textContent = `This browser cannot show the report: ${error.message}`;
    throw error;
  }
});
