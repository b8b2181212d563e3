// How much each gene matters, and what follows from all of them.
import {axis, base, chartOf, describe, tip} from './charts.js';
import {openDetails} from './details.js';
import {$, colour, csvCell, element, fillTable, short} from './dom.js';
import {state} from './state.js';

const mostGenes = 20;
const ofSelect = id => state.run.importance.find(each => each.objective === $(id).value);

export function prepareImportance() {
  const usable = state.run.importance.filter(each => each.genes.length > 0);
  for (const [view, draw] of [['importance', drawImportance], ['predicted', drawPredicted]]) {
    $(view + '-of').append(...usable.map(each => element('option', {value: each.objective}, each.objective)));
    $(view + '-of').addEventListener('change', draw);
  }
  return usable.length > 0;
}

export function drawImportance() {
  const found = ofSelect('importance-of');
  if (!found) return;
  const count = Math.min(mostGenes, found.genes.length), bars = Array.from({length: count}, (none, i) => count - 1 - i);
  $('importance-chart').style.height = 90 + 24 * count + 'px';
  const chart = chartOf('importance');
  chart.resize();
  chart.setOption(base({
    legend: {show: false}, grid: {left: 16, right: 30, top: 10, bottom: 56, containLabel: true},
    xAxis: axis(`share of the variance of ${found.in_logarithm ? 'log ' : ''}${found.objective}`, {scale: false}),
    yAxis: {type: 'category', data: bars.map(i => found.genes[i]), axisLabel: {color: colour('ink'), width: 190, overflow: 'truncate'}, axisLine: {lineStyle: {color: colour('quiet')}}, axisTick: {show: false}},
    series: [
      {type: 'bar', barMaxWidth: 14, itemStyle: {color: colour('front')}, data: bars.map(i => found.shares[i])},
      {type: 'custom', silent: true, z: 3, encode: {x: [0, 1], y: 2}, data: bars.map((i, place) => [found.shares[i] - found.errors[i], found.shares[i] + found.errors[i], place]),
       renderItem(none, api) {
         const [x1, y] = api.coord([api.value(0), api.value(2)]), [x2] = api.coord([api.value(1), api.value(2)]);
         return {type: 'group', children: [[x1, y, x2, y], [x1, y - 4, x1, y + 4], [x2, y - 4, x2, y + 4]].map(([a, b, c, d]) => ({type: 'line', shape: {x1: a, y1: b, x2: c, y2: d}, style: {stroke: colour('ink'), lineWidth: 1.2}}))};
       }},
    ],
    tooltip: {...base().tooltip, formatter: item => { const i = bars[item.dataIndex]; return tip([found.genes[i], `${short(found.shares[i])} ± ${short(found.errors[i])}`]); }},
  }), {notMerge: true});
  describe('importance', `Most important for ${found.objective}: ${found.genes.slice(0, 3).map((gene, i) => `${gene} ${short(found.shares[i])}`).join(', ')}`);
  $('importance-note').textContent = `Permutation importance of random forests (Breiman 2001): ten times, ${found.designs} designs are halved, a forest of 20 trees learns from one half, and in the other the values of one gene are exchanged between designs. ` +
      `The share is the squared error this adds, over twice the variance. Whiskers: the standard error, by the deviation between halves. The forests explain ${short(100 * Math.max(0, found.r2))} % of the variance of designs they had not seen; little trust if that is low. Genes that depend on each other share their importance.`;
  fillTable($('importance-table'), ['gene', 'share', 'standard error'], found.genes.map((gene, i) => [gene, short(found.shares[i]), short(found.errors[i])]), [1, 2]);
}

export function importanceCsv() {
  const lines = ['objective,gene,share,standard_error'];
  for (const each of state.run.importance) each.genes.forEach((gene, i) => lines.push([csvCell(each.objective), csvCell(gene), each.shares[i], each.errors[i]].join(',')));
  return lines.join('\n') + '\n';
}

export function drawPredicted() {
  const found = ofSelect('predicted-of');
  if (!found || !found.predicted) return;
  const {run, shown} = state, column = run.table.by.get(found.objective), points = [], front = [];
  let low = Infinity, high = -Infinity;
  for (let row = 0; row < run.rows; ++row) {
    const a = column.values[row], b = found.predicted[row];
    if (!Number.isFinite(a) || !Number.isFinite(b)) continue;
    low = Math.min(low, a, b);
    high = Math.max(high, a, b);
    if (shown[row]) (run.frontSet.has(row) ? front : points).push([a, b, row]);
  }
  const type = found.in_logarithm ? 'log' : 'value';
  const chart = chartOf('predicted');
  chart.setOption(base({
    grid: {left: 78, right: 24, top: 34, bottom: 56}, xAxis: axis(`${found.objective}, found`, {type}), yAxis: axis('predicted', {type, nameGap: 56}),
    series: [
      {type: 'scatter', name: 'selected', data: points, symbolSize: 5, large: points.length > 3000, itemStyle: {color: colour('other')}},
      {type: 'scatter', name: 'front', data: front, symbolSize: 9, itemStyle: {color: colour('front')}},
      {type: 'line', name: 'equal', silent: true, symbol: 'none', data: low < high ? [[low, low], [high, high]] : [], lineStyle: {color: colour('limit'), width: 1, type: 'dashed'}, itemStyle: {color: colour('limit')}},
    ],
    tooltip: {...base().tooltip, formatter: item => item.value.length > 2 ? tip([`design ${run.ids[item.value[2]]}`, `found ${short(item.value[0])}`, `predicted ${short(item.value[1])}`]) : ''},
  }), {notMerge: true});
  chart.off('click');
  chart.on('click', item => { if (item.value && item.value.length > 2) openDetails(item.value[2]); });
  describe('predicted', `${found.objective} as forests predict it from the genes against what was found: they explain ${short(100 * Math.max(0, found.r2))} per cent of the variance`);
  $('predicted-note').textContent = `Predicted from the genes by forests that had not seen the design (those of “Importance”), not by the model of the search, which keeps no record. R² ${short(found.r2)} of designs not seen.`;
}

export function predictedCsv() {
  const {run} = state, found = ofSelect('predicted-of');
  if (!found) return '';
  const lines = [`id,${csvCell(found.objective)},predicted`];
  for (let row = 0; row < run.rows; ++row) if (Number.isFinite(found.predicted[row])) lines.push([run.ids[row], run.table.by.get(found.objective).values[row], found.predicted[row]].join(','));
  return lines.join('\n') + '\n';
}
