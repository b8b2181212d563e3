// Hypervolume and best values, over designs done or time.
import {axis, base, chartOf, describe, tip} from './charts.js';
import {$, csvCell, duration, element, fillTable, seriesColours, short} from './dom.js';
import {state} from './state.js';

const known = column => column && column.values.some(Number.isFinite);

export function prepareProgress() {
  const {run} = state;
  const options = ['hypervolume', ...run.objectives.map(name => 'best_' + name)].filter(name => known(run.growth.by.get(name)) || known(run.progress.by.get(name)));
  if (options.length === 0) return false;
  $('progress-what').append(...options.map(name => element('option', {value: name}, name.replace(/^best_/, 'best '))));
  for (const id of ['progress-what', 'progress-over']) $(id).addEventListener('change', drawProgress);
  if (!known(run.growth.by.get('seconds')) && !known(run.progress.by.get('time_ms'))) $('progress-over').querySelector('[value=seconds]').disabled = true;
  const growth = run.growth;
  fillTable($('progress-table'), growth.columns.map(column => column.name), Array.from({length: growth.rows}, (none, i) => growth.columns.map(column => short(column.values[i]))), growth.columns.map((none, i) => i));
  return true;
}

function growthOf(growth, what, over) {
  const x = growth.by.get(over), y = growth.by.get(what), points = [];
  for (let i = 0; x && y && i < growth.rows; ++i) if (Number.isFinite(x.values[i]) && Number.isFinite(y.values[i])) points.push([x.values[i], y.values[i]]);
  return points;
}

function notedBySearch(what, over) {
  const {run} = state, table = run.progress, y = table.by.get(what), done = table.by.get('done'), time = table.by.get('time_ms'), points = [];
  for (let i = 0; y && i < table.rows; ++i) {
    const x = over === 'done' ? done && done.values[i] : time && (time.values[i] - run.first_ms) / 1e3;
    if (Number.isFinite(x) && Number.isFinite(y.values[i])) points.push([x, y.values[i]]);
  }
  return points;
}

export function drawProgress() {
  const {run} = state, what = $('progress-what').value, over = $('progress-over').value, tints = seriesColours();
  const line = (name, data, tint, more = {}) => ({type: 'line', name, data, step: 'end', symbol: 'none', lineStyle: {color: tint, width: 2}, itemStyle: {color: tint}, ...more});
  const noted = notedBySearch(what, over), confirms = run.objectives.some(name => run.table.by.has(name + '_n'));
  const series = [line('of the results', growthOf(run.growth, what, over), tints[0])];
  if (noted.length) series.push(line('as the search noted it', noted, tints[1], {step: false, symbol: 'circle', symbolSize: 5, lineStyle: {color: tints[1], width: 1, type: 'dotted'}}));
  run.compare.forEach((other, i) => { const data = growthOf(other.growth, what, over); if (data.length) series.push(line(other.name, data, tints[(i + 2) % tints.length])); });
  chartOf('progress').setOption(base({
    grid: {left: 78, right: 24, top: 34, bottom: 56}, series,
    xAxis: axis(over === 'done' ? 'designs done' : 'seconds since the start', {scale: false}), yAxis: axis(what.replace(/^best_/, 'best '), {nameGap: 56}),
    tooltip: {...base().tooltip, trigger: 'axis', formatter: items => tip([over === 'done' ? `${items[0].value[0]} designs` : duration(items[0].value[0]), ...items.map(item => `${item.seriesName}: ${short(item.value[1])}`)])},
    legend: {...base().legend, show: series.length > 1, selected: {'as the search noted it': !confirms}},
  }), {notMerge: true});
  const last = series[0].data.at(-1), reference = run.status.reference || [];
  describe('progress', `${what} over ${over}; last ${last ? short(last[1]) : 'unknown'}`);
  $('progress-note').textContent = what === 'hypervolume'
      ? `Exact, up to ${reference.length ? reference.map(short).join(', ') : 'no reference point yet'}. “Of the results” takes the values of the table, means of confirmed designs, in the order in which the designs ended; the search noted its front as it stood then, with what was not confirmed yet.`
      : 'The least of completed designs, by the values of the table.';
}

export function progressCsv() {
  const {growth} = state.run, lines = [growth.columns.map(column => csvCell(column.name)).join(',')];
  for (let i = 0; i < growth.rows; ++i) lines.push(growth.columns.map(column => Number.isFinite(column.values[i]) ? column.values[i] : '').join(','));
  return lines.join('\n') + '\n';
}
