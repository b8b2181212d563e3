// What all drawings by ECharts share.
import {$, colour, download, element, short} from './dom.js';

const charts = new Map();

export function chartOf(name) {
  if (!charts.has(name)) {
    const chart = echarts.init($(name + '-chart'), null, {renderer: 'canvas'});
    charts.set(name, chart);
    new ResizeObserver(() => chart.resize()).observe($(name + '-chart'));
  }
  return charts.get(name);
}

// Canvases that lie under a chart's own; what is saved has both.
const underlays = new Map();
export function addUnderlay(name) {
  const chart = chartOf(name), canvas = element('canvas', {'aria-hidden': 'true', style: 'position:absolute;left:0;top:0;pointer-events:none'});
  chart.getDom().prepend(canvas);
  underlays.set(name, canvas);
  return canvas;
}

function pictureOf(name) {
  const chart = chartOf(name), under = underlays.get(name), ratio = 2;
  if (!under) return chart.getDataURL({type: 'png', pixelRatio: ratio, backgroundColor: colour('panel')});
  const over = chart.renderToCanvas({pixelRatio: ratio, backgroundColor: 'transparent'}), both = element('canvas', {width: over.width, height: over.height}), context = both.getContext('2d');
  context.fillStyle = colour('panel');
  context.fillRect(0, 0, both.width, both.height);
  context.drawImage(under, 0, 0, both.width, both.height);
  context.drawImage(over, 0, 0);
  return both.toDataURL('image/png');
}

export function axis(name, more = {}) {
  return {
    name, nameLocation: 'middle', nameGap: 30, type: 'value', scale: true, ...(more.type === 'log' ? {min: range => range.min / 1.15, max: range => range.max * 1.15} : {}),
    nameTextStyle: {color: colour('ink'), fontSize: 13}, axisLabel: {color: colour('quiet'), hideOverlap: true, fontSize: 12, ...(more.type === 'log' ? {showMinLabel: false, showMaxLabel: false} : {}), formatter: value => short(Number(value.toPrecision(4)))},
    axisLine: {show: true, lineStyle: {color: colour('quiet')}}, splitLine: {lineStyle: {color: colour('line')}},
    minorSplitLine: {show: false}, ...more,
  };
}

export function base(more = {}) {
  return {
    animation: false, backgroundColor: 'transparent', textStyle: {color: colour('ink'), fontFamily: 'system-ui, "DejaVu Sans", sans-serif', fontSize: 13},
    grid: {left: 70, right: 24, top: 30, bottom: 56},
    tooltip: {trigger: 'item', confine: true, backgroundColor: colour('panel'), borderColor: colour('line'), textStyle: {color: colour('ink')}},
    legend: {top: 0, textStyle: {color: colour('ink')}, inactiveColor: colour('quiet')}, ...more,
  };
}

// What a tooltip shows: nodes, so that no text is taken for markup.
export function tip(lines) {
  const box = element('div', {class: 'tip'});
  lines.forEach((line, i) => box.append(element(i === 0 ? 'strong' : 'div', {}, line)));
  return box;
}

export function describe(name, text) { $(name + '-chart').setAttribute('aria-label', text); }

// Buttons that save a drawing, and what it shows.
export function addDownloads(run, csvs) {
  for (const place of document.querySelectorAll('.downloads')) {
    const name = place.dataset.chart;
    place.append(
        element('button', {type: 'button', 'aria-label': `Save ${name} as PNG`, on: {click: () => download(
            `${run.name}-${name}.png`, 'image/png', pictureOf(name))}}, 'PNG'),
        element('button', {type: 'button', 'aria-label': `Save ${name} as CSV`, on: {click: () => download(`${run.name}-${name}.csv`, 'text/csv', csvs[name]())}}, 'CSV'));
  }
}
