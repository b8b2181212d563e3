// Reads what Encoder (src/report/encoder.hpp) wrote: columns of numbers and texts.

const widths = {u8: [1, Uint8Array], u16: [2, Uint16Array], u32: [4, Uint32Array], i32: [4, Int32Array], f32: [4, Float32Array], f64: [8, Float64Array]};

async function inflated(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; ++i) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Bytes are grouped by their place in the number.
function ungrouped(bytes, at, rows, type) {
  const [width, Values] = widths[type];
  const raw = new Uint8Array(rows * width);
  for (let place = 0; place < width; ++place)
    for (let row = 0, from = at + place * rows; row < rows; ++row) raw[row * width + place] = bytes[from + row];
  return new Values(raw.buffer);
}

// A column: `values` are numbers (NaN: missing); of texts the places in the sorted `words`.
export function readColumn(json, bytes, rows) {
  const raw = ungrouped(bytes, json.at, rows, json.type);
  const column = {name: json.name, role: json.role || '', unit: json.unit || '', better: json.better || 0, words: null};
  const values = new Float64Array(rows);
  let places = null;
  if (json.words) {
    const order = json.words.map((word, i) => i).sort((a, b) => json.words[a] < json.words[b] ? -1 : json.words[a] > json.words[b] ? 1 : 0);
    column.words = order.map(i => json.words[i]);
    places = new Float64Array(json.words.length + 1);
    order.forEach((word, place) => { places[word + 1] = place; });
    places[0] = NaN;
  } else if (json.values) {
    places = Float64Array.from([NaN, ...json.values]);
  }
  for (let row = 0; row < rows; ++row) values[row] = places ? places[raw[row]] : raw[row];
  column.values = values;
  return column;
}

export function textAt(column, row) {
  const value = column.values[row];
  if (Number.isNaN(value)) return '';
  return column.words ? column.words[value] : String(value);
}

export function readTable(json, bytes) {
  const table = {rows: json.rows, columns: [], by: new Map(), leftOut: json.left_out || 0};
  for (const each of json.columns || []) {
    const column = readColumn(each, bytes, json.rows);
    table.columns.push(column);
    table.by.set(column.name, column);
  }
  return table;
}

export async function readRun(base64) {
  const all = await inflated(base64);
  const length = new DataView(all.buffer).getUint32(0, true);
  const run = JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + length)));
  const bytes = all.subarray(4 + length);
  run.rows = run.designs.rows;
  run.table = readTable(run.designs, bytes);
  run.times = readTable({rows: run.rows, columns: run.designs.times}, bytes);
  for (const name of ['trainings', 'measurements', 'notes', 'curves', 'progress', 'growth']) run[name] = readTable(run[name], bytes);
  for (const each of run.importance)
    if (each.predicted) each.predicted = readColumn(each.predicted, bytes, run.rows).values;
  for (const other of run.compare) {
    other.front = readTable(other.front, bytes);
    other.growth = readTable(other.growth, bytes);
  }
  run.demands = run.demands || [];
  run.frontSet = new Set(run.front);
  run.givenSet = new Set(run.given);
  run.ids = run.table.by.get('id') ? run.table.by.get('id').values : Float64Array.from({length: run.rows}, (none, i) => i);
  run.rowOf = new Map(Array.from(run.ids, (id, row) => [id, row]));
  run.mothers = run.times.by.get('mother').values;
  run.fathers = run.times.by.get('father').values;
  run.parentsOf = row => [...new Set([run.mothers[row], run.fathers[row]])].map(id => run.rowOf.get(id)).filter(found => found !== undefined);
  run.completed = new Uint8Array(run.rows);
  const status = run.table.by.get('status');
  for (let row = 0; row < run.rows; ++row) run.completed[row] = status && textAt(status, row) === 'completed' ? 1 : 0;
  return run;
}
