// Small helpers. Texts of the run reach the page by textContent alone.

export const $ = id => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') for (const [event, handler] of Object.entries(value)) made.addEventListener(event, handler);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

const colours = new Map();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.clear());
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim());
  return colours.get(name);
}
export const seriesColours = () => colour('series').split(' ');

// Five digits for people.
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '';
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value);
  return String(Number(value.toPrecision(5)));
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 10) return seconds.toFixed(1) + ' s';
  const s = Math.round(seconds), two = n => String(n).padStart(2, '0');
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)} min` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)} h`;
}

export function withUnit(column, value) {
  const text = short(value);
  return text && column && column.unit ? `${text} ${column.unit}` : text;
}

// As core/csv.hpp writes cells: quoted where needed; what a spreadsheet would run gets an apostrophe.
export function csvCell(text) {
  if (/^'*[=+\-@＝＋－＠\t\r\n]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && !/^[+-]?inf$/.test(text)) text = "'" + text;
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

export function download(name, type, content) {
  const url = typeof content === 'string' && content.startsWith('data:') ? content : URL.createObjectURL(new Blob([content], {type}));
  const link = element('a', {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  if (url.startsWith('blob:')) setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function fillTable(table, heads, rows, numeric = []) {
  const mark = i => numeric.includes(i) ? {class: 'number'} : {};
  table.replaceChildren(
      element('thead', {}, element('tr', {}, ...heads.map((head, i) => element('th', {scope: 'col', ...mark(i)}, head)))),
      element('tbody', {}, ...rows.map(row => element('tr', {}, ...row.map((cell, i) => element(i === 0 ? 'th' : 'td', i === 0 ? {scope: 'row', ...mark(i)} : mark(i), cell))))));
}

export function pairs(list) {
  return element('dl', {class: 'pairs'}, ...list.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
}
