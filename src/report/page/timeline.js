// Who worked when: trainings side by side, and each device.
import {textAt} from './data.js';
import {axis, base, chartOf, describe, tip} from './charts.js';
import {openDetails} from './details.js';
import {$, colour, csvCell, duration, fillTable, seriesColours} from './dom.js';
import {state} from './state.js';

const mostBars = 6000;
let lanes = [], bars = [], span = 0;

// A training is in the lane of each rank that had it. Where the journal does not say who that was, it gets the first lane
// that is free: so many ran at once.
function trainingBars(table, end) {
  const free = [], found = [], column = name => table.by.get(name);
  const order = Array.from({length: table.rows}, (none, i) => i).sort((a, b) => column('start').values[a] - column('start').values[b]);
  for (const i of order) {
    const start = column('start').values[i], ended = Number.isFinite(column('end').values[i]), stop = ended ? column('end').values[i] : end;
    if (!Number.isFinite(start)) continue;
    const ranks = textAt(column('ranks'), i);
    let own = ranks.split(' ').map(rank => `rank ${rank}`);
    if (!ranks) {
      let lane = free.findIndex(time => time <= start);
      if (lane < 0) lane = free.push(0) - 1;
      free[lane] = stop;
      own = [`training ${lane + 1}`];
    }
    for (const lane of own)
      found.push({lane, start, stop, row: column('row').values[i], id: column('id').values[i], repeat: column('repeat').values[i],
                  status: ended ? textAt(column('status'), i) || 'completed' : 'not ended', kind: 'training'});
  }
  return found;
}

function deviceBars(table) {
  const column = name => table.by.get(name);
  return Array.from({length: table.rows}, (none, i) => ({
    lane: textAt(column('device'), i) || 'a device', start: column('start').values[i], stop: column('end').values[i], row: column('row').values[i],
    id: column('id').values[i], repeat: 0, status: textAt(column('status'), i) || 'completed', kind: 'measuring'}));
}

// Time that at least one of these bars covers.
function covered(list) {
  let sum = 0, until = -Infinity;
  for (const {start, stop} of [...list].sort((a, b) => a.start - b.start)) {
    sum += Math.max(0, stop - Math.max(start, until));
    until = Math.max(until, stop);
  }
  return sum;
}

export function prepareTimeline() {
  const {run} = state;
  span = run.last_ms - run.first_ms;
  bars = [...trainingBars(run.trainings, span), ...deviceBars(run.measurements)].filter(bar => bar.stop >= bar.start);
  const trains = new Set(bars.filter(bar => bar.kind === 'training').map(bar => bar.lane));
  lanes = [...new Set(bars.map(bar => bar.lane))].sort((a, b) => trains.has(b) - trains.has(a) || a.localeCompare(b, 'en', {numeric: true}));
  if (bars.length === 0 || !(span > 0)) return false;
  fillTable($('timeline-table'), ['who', 'tasks', 'busy', 'share of the run', 'waited'], lanes.map(lane => {
    const own = bars.filter(bar => bar.lane === lane), busy = covered(own);
    return [lane, String(own.length), duration(busy / 1e3), `${Math.round(100 * busy / span)} %`, duration(Math.max(0, span - busy) / 1e3)];
  }), [1, 2, 3, 4]);
  return true;
}

export function drawTimeline() {
  if (!bars.length) return;
  const tints = seriesColours(), {run, shown} = state;
  const drawn = bars.length > mostBars ? Array.from({length: mostBars}, (none, i) => bars[Math.floor(i * bars.length / mostBars)]) : bars;
  $('timeline-chart').style.height = Math.min(700, 110 + 30 * lanes.length) + 'px';
  const chart = chartOf('timeline');
  chart.resize();
  const tint = bar => bar.status !== 'completed' ? colour('limit') : bar.kind === 'measuring' ? tints[1] : bar.repeat > 0 ? tints[3] : tints[0];
  const places = new Map(lanes.map((lane, i) => [lane, i]));
  chart.setOption(base({
    legend: {show: false}, grid: {left: 16, right: 24, top: 10, bottom: 84, containLabel: true},
    dataZoom: [{type: 'slider', height: 22, bottom: 10, textStyle: {color: colour('quiet')}, filterMode: 'weakFilter'}],
    xAxis: axis('seconds since the start', {scale: false, nameGap: 26}),
    yAxis: {type: 'category', inverse: true, data: lanes, axisLabel: {color: colour('ink'), width: 130, overflow: 'truncate'}, axisTick: {show: false}, axisLine: {lineStyle: {color: colour('quiet')}}},
    series: [{
      type: 'custom', encode: {x: [0, 1], y: 2}, data: drawn.map((bar, i) => [bar.start / 1e3, bar.stop / 1e3, places.get(bar.lane), i]),
      renderItem(none, api) {
        const bar = drawn[api.value(3)], [x1, y] = api.coord([api.value(0), api.value(2)]), [x2] = api.coord([api.value(1), api.value(2)]), tall = Math.max(4, api.size([0, 1])[1] * .62);
        return {type: 'rect', shape: {x: x1, y: y - tall / 2, width: Math.max(1, x2 - x1), height: tall}, style: {fill: tint(bar), opacity: bar.row < run.rows && !shown[bar.row] ? .15 : .85}};
      },
    }],
    tooltip: {...base().tooltip, formatter: item => { const bar = drawn[item.value[3]]; return tip([`design ${bar.id}${bar.repeat ? `, repeat ${bar.repeat}` : ''}`, `${bar.kind}, ${bar.status}`, `${duration((bar.stop - bar.start) / 1e3)}, from ${duration(bar.start / 1e3)} on`]); }},
  }), {notMerge: true});
  chart.off('click');
  chart.on('click', item => { const bar = drawn[item.value[3]]; if (bar.row < run.rows) openDetails(bar.row); });
  describe('timeline', `${lanes.length} lanes over ${duration(span / 1e3)}; the table below has what each did`);
  const left = run.trainings.leftOut + run.measurements.leftOut;
  $('timeline-note').textContent = `${lanes.some(lane => lane.startsWith('rank ')) ? 'A training of several ranks is in the lane of each.' : ''} ${lanes.some(lane => lane.startsWith('training ')) ? 'A lane that is named training is one that ran beside others: which ranks it had is not known.' : ''} Colours: training, measuring, repeats that confirm, and what did not complete (red). A device is busy from when its task was sent to it.` +
      (drawn.length < bars.length ? ` ${drawn.length} of ${bars.length} tasks are drawn.` : '') + (left ? ` The oldest ${left} tasks are left out.` : '');
}

export function timelineCsv() {
  return ['who,id,repeat,kind,status,start_s,end_s', ...bars.map(bar => [csvCell(bar.lane), bar.id, bar.repeat, bar.kind, csvCell(bar.status), bar.start / 1e3, bar.stop / 1e3].join(','))].join('\n') + '\n';
}
