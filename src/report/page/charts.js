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
            `${run.name}-${name}.png`, 'image/png', chartOf(name).getDataURL({type: 'png', pixelRatio: 2, backgroundColor: colour('panel')}))}}, 'PNG'),
        element('button', {type: 'button', 'aria-label': `Save ${name} as CSV`, on: {click: () => download(`${run.name}-${name}.csv`, 'text/csv', csvs[name]())}}, 'CSV'));
  }
}
