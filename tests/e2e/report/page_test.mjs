// What a person does with a page of edgeloop-report, by mouse and by keyboard, and that it shows what the
// tables have. Started by run.sh: page_test.mjs <programs> <folder to work in> <browser> <runs of old releases>
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import puppeteer from 'puppeteer-core';

const [, , bin, work, executablePath, oldRuns] = process.argv;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const run = `${work}/search`;

// --- tables as the page should show them

function csvRows(text) {
  return text.trimEnd().split('\n').map(line => {
    const cells = [];
    for (const match of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) cells.push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
    return cells;
  });
}
function tableOf(text) {
  const [names, ...rows] = csvRows(text);
  return {names, rows, column: name => rows.map(row => row[names.indexOf(name)])};
}
const same = (shown, written) => shown === written || (written !== '' && shown !== '' && Number(shown) === Number(written));
const dominates = (a, b) => a.every((value, i) => value <= b[i]) && a.some((value, i) => value < b[i]);

// --- runs and their pages

function report(...words) { return execFileSync(`${bin}/edgeloop-report`, words, {encoding: 'utf8'}); }

execFileSync(`${bin}/edgeloop-search`, ['--problem', 'nas-table', '--engine', 'generational', '--population', '40', '--evaluations', '320',
                                        '--constraint', 'latency_ms<=20', '--run-dir', run], {stdio: 'ignore', env: {...process.env, EDGELOOP_OVERSUBSCRIBE: 'allow'}});
const evil = '</script><img src=x onerror=alert(1)>';
function madeUp(name, objectives, table, status = {phase: 'finished'}) {
  const folder = `${work}/${name}`;
  mkdirSync(folder);
  writeFileSync(`${folder}/provenance.json`, JSON.stringify({identity: {objectives}, program: evil}));
  writeFileSync(`${folder}/status.json`, JSON.stringify(status));
  if (table) writeFileSync(`${folder}/evaluations.csv`, table);
  return folder;
}
const odd = {
  'empty': madeUp('empty', 'f1,f2', ''),
  'running': madeUp('running', 'f1,f2', 'id,status,f1,f2,x,conditions,generation\n1,completed,1,2,0.5,1,0\n', {phase: 'running', running: 3, done: 1}),
  'failed': madeUp('failed', 'f1,f2', 'id,status,f1,f2,x,conditions,generation,reason\n1,failed,,,0.5,1,0,out of memory\n2,lost,,,0.7,1,0,rank 3 died\n'),
  'one': madeUp('one', 'f1', 'id,status,f1,x,conditions,generation\n' + Array.from({length: 30}, (none, i) => `${i + 1},completed,${(i * 7) % 30},${i / 30},1,${i % 3}\n`).join('')),
  'four': madeUp('four', 'f1,f2,f3,f4', 'id,status,f1,f2,f3,f4,x,conditions,generation\n' + Array.from({length: 30}, (none, i) => `${i + 1},completed,${i},${30 - i},${(i * 7) % 30},2,${i / 30},1,${i % 3}\n`).join('')),
  'hostile': madeUp('hostile', 'f1,f2', `id,status,f1,f2,${evil},conditions,device,generation,reason\n1,completed,1,2,${evil},1,${evil},0,\n2,failed,,,${evil},1,${evil},0,${evil}\n`),
  'devices': madeUp('devices', 'f1,latency_ms', 'id,status,f1,latency_ms,x,latency_low_ms,latency_high_ms,latency_valid,conditions,device,generation\n1,completed,1,2,0.5,1.9,2.2,1,1,left,0\n2,completed,2,1,0.6,0.9,1.2,0,1,right,0\n'),
  'old': `${oldRuns}/training`,
};

writeFileSync(`${odd.devices}/journal.jsonl`, [
  {event: 'journal', version: 2}, ...[1, 2].map(id => ({event: 'proposed', id, generation: 0, index: id, genes: [0.5]})),
  {event: 'trained', id: 1, status: 'completed', seconds: 1, metrics: {f1: 1}, ranks: [1, 2], curve: {epoch: [1, 2, 3], learning_rate: [.1, .1, .1], train_loss: [4, 2, 1], f1: [null, null, 1]}},
  {event: 'measured', id: 1, status: 'completed', seconds: 1, device: 'left', metrics: {latency_ms: 2}},
  {event: 'measured', id: 2, status: 'completed', seconds: 2, device: 'right', metrics: {latency_ms: 1}},
].map((event, seq) => JSON.stringify({seq, time_ms: 1e12 + 1000 * seq, ...event, crc: 0})).join('\n') + '\n');

const browser = await puppeteer.launch({executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu']});
let troubles = [];

async function open(file, {width = 1280, scheme = 'light'} = {}) {
  const page = await browser.newPage();
  page.on('console', message => { if (['error', 'warn', 'warning'].includes(message.type())) troubles.push(message.text()); });
  page.on('pageerror', error => troubles.push(error.stack || error.message));
  page.on('dialog', dialog => { troubles.push('a dialog opened'); dialog.dismiss(); });
  page.on('request', request => { if (!/^(file|data|blob):/.test(request.url())) troubles.push(request.url()); });
  await page.setViewport({width, height: 900});
  await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
  await page.goto('file://' + file);
  await page.waitForFunction(() => document.documentElement.dataset.ready);
  return page;
}

async function drawAll(page) {
  const sections = await page.$$eval('main > section:not([hidden])', list => list.map(each => each.id));
  for (const id of sections) {
    await page.evaluate(one => document.getElementById(one).scrollIntoView(), id);
    await settle(page);
  }
}
// Two frames, in which what came into sight is drawn, and the moment after which the table follows a brush.
const frames = page => page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
async function settle(page) {
  await frames(page);
  await page.waitForFunction(() => document.documentElement.dataset.pending !== 'yes');
  await frames(page);
}
const count = async page => { await settle(page); return Number((await page.$eval('#count', each => each.textContent)).split(' ')[0]); };
const show = async (page, id) => { await page.evaluate(one => document.getElementById(one).scrollIntoView(), id); await settle(page); };
const clear = async page => { await page.click('#clear'); await settle(page); };

async function violations(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, {resultTypes: ['violations']}).then(result => result.violations.map(each => `${each.id}: ${each.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')}`)));
  assert.deepEqual(found, [], what);
}

const tests = {
  async 'the table has what evaluations.csv has'() {
    const page = await open(file), expected = tableOf(readFileSync(`${run}/evaluations.csv`, 'utf8'));
    await page.$$eval('#table-columns input', boxes => boxes.forEach(box => { if (!box.checked) box.click(); }));
    await settle(page);
    const seen = new Map();
    for (;;) {
      const rows = await page.$$eval('#designs tbody tr', list => list.map(row => [...row.querySelectorAll('[data-value]')].map(cell => cell.dataset.value)));
      for (const row of rows) seen.set(row[0], row);
      if (await page.$eval('#page-on', each => each.disabled)) break;
      await page.click('#page-on');
      await settle(page);
    }
    assert.equal(seen.size, expected.rows.length);
    const heads = await page.$$eval('#designs thead button', list => list.map(each => each.textContent));
    assert.deepEqual(heads, expected.names);
    for (const row of expected.rows) row.forEach((cell, i) => assert.ok(same(seen.get(row[0])[i], cell), `${row[0]} ${expected.names[i]}: ${seen.get(row[0])[i]} is not ${cell}`));
    const front = tableOf(readFileSync(`${run}/pareto.csv`, 'utf8')).column('id');
    await page.click('#page-back'); // any page: the front comes first on the first
    await clear(page);
    assert.match(await page.$eval('#front-legend', each => each.textContent), new RegExp(`front \\(${front.length}\\)`));
    await page.close();
  },

  async 'sorting by mouse and by keyboard'() {
    const page = await open(file), values = () => page.$$eval('#designs tbody tr', list => list.map(row => row.children[5].dataset.value).map(Number));
    await show(page, 'table');
    const head = '#designs thead button[data-column="latency_ms"]';
    await page.click(head);
    const all = tableOf(readFileSync(`${run}/evaluations.csv`, 'utf8')).column('latency_ms').map(Number).sort((a, b) => a - b);
    assert.deepEqual(await values(), all.slice(0, 50));
    await page.focus(head);
    await page.keyboard.press('Enter');
    assert.deepEqual(await values(), all.slice(-50).reverse());
    assert.equal(await page.$eval(head, each => each.parentElement.getAttribute('aria-sort')), 'descending');
    await page.close();
  },

  async 'filters by keyboard and search'() {
    const page = await open(file), table = tableOf(readFileSync(`${run}/evaluations.csv`, 'utf8')), latencies = table.column('latency_ms').map(Number);
    await show(page, 'table');
    await page.select('#filter-column', 'latency_ms');
    await page.focus('#filter-low');
    await page.keyboard.type('5');
    await page.focus('#filter-high');
    await page.keyboard.type('9');
    await page.keyboard.press('Enter');
    assert.equal(await count(page), latencies.filter(value => value >= 5 && value <= 9).length);
    await page.focus('#chips button');
    await page.keyboard.press('Enter');
    assert.equal(await count(page), latencies.length);
    await page.type('#search', 'infeasible');
    await new Promise(done => setTimeout(done, 200));
    assert.equal(await count(page), table.column('status').filter(each => each === 'infeasible').length);
    await page.close();
  },

  async 'a brush on an axis, by mouse and by keyboard'() {
    const page = await open(file), latencies = tableOf(readFileSync(`${run}/evaluations.csv`, 'utf8')).column('latency_ms').map(Number);
    await show(page, 'parallel');
    const handles = await page.$$('.handle[aria-label^="latency_ms"]');
    const [low, high] = [await handles[0].boundingBox(), await handles[1].boundingBox()], x = low.x + low.width / 2;
    await page.mouse.move(x, low.y - 60);
    await page.mouse.down();
    await page.mouse.move(x, low.y - 100, {steps: 4});
    await page.mouse.move(x, high.y + 100, {steps: 4});
    await page.mouse.up();
    const brushed = await count(page);
    assert.ok(brushed > 0 && brushed < latencies.length, `${brushed}`);
    const [from, to] = await page.$$eval('.handle[aria-label^="latency_ms"]', list => list.map(each => Number(each.getAttribute('aria-valuenow'))));
    assert.equal(brushed, latencies.filter(value => value >= from && value <= to).length);
    await page.mouse.click(x, (low.y + high.y) / 2, {count: 2});
    assert.equal(await count(page), latencies.length);
    await page.focus('.handle[aria-label="latency_ms, most"]');
    for (let i = 0; i < 20; ++i) await page.keyboard.press('ArrowDown');
    await settle(page);  // the handle says where it is when it is drawn
    const limit = Number(await page.$eval('.handle[aria-label="latency_ms, most"]', each => each.getAttribute('aria-valuenow')));
    assert.equal(await count(page), latencies.filter(value => value <= limit).length);
    assert.ok(await count(page) < latencies.length);
    await page.close();
  },

  async 'a rectangle in the front, and a click opens a design'() {
    const page = await open(file), table = tableOf(readFileSync(`${run}/evaluations.csv`, 'utf8'));
    await show(page, 'front');
    const box = await (await page.$('#front-chart')).boundingBox();
    await page.mouse.move(box.x + 100, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 70, {steps: 5});
    await page.mouse.up();
    const selected = await count(page);
    assert.ok(selected > 0 && selected < table.rows.length, `${selected}`);
    assert.equal((await page.$$('#chips li')).length, 2);
    await clear(page);
    await show(page, 'front');
    await page.focus('#front-chart');
    await page.keyboard.press('ArrowRight');
    const said = await page.$eval('#count', each => each.textContent);
    await page.keyboard.press('Enter');
    const title = await page.$eval('#details-title', each => each.textContent), id = title.split(' ')[1];
    assert.match(said, new RegExp(`^Design ${id}: `));
    const front = tableOf(readFileSync(`${run}/pareto.csv`, 'utf8')), fastest = front.rows.reduce((a, b) => Number(a[2]) < Number(b[2]) ? a : b);
    assert.equal(id, fastest[0]);
    assert.equal(await page.$eval('#details', each => each.open), true);
    const pairs = await page.$$eval('#details-body dl', lists => Object.fromEntries([...lists.at(-1).querySelectorAll('dt')].map(name => [name.textContent, name.nextElementSibling.textContent])));
    const row = table.rows.find(each => each[0] === id);
    table.names.forEach((name, i) => assert.ok(same(pairs[name], row[i]), name));
    await page.keyboard.press('Escape');
    assert.equal(await page.$eval('#details', each => each.open), false);
    await show(page, 'table');
    await page.click('#designs tbody tr .open');
    assert.equal(await page.$eval('#details', each => each.open), true);
    await page.close();
  },

  async 'a design shows its parents, and they show it'() {
    const page = await open(file), events = readFileSync(`${run}/journal.jsonl`, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));
    const child = events.findLast(each => each.event === 'proposed' && (each.parents || []).length === 2), last = child.id;
    assert.ok(child.generation > 1);
    await page.evaluate(id => { document.getElementById('search').value = `id=${id}`; document.getElementById('search').dispatchEvent(new Event('input', {bubbles: true})); }, last);
    await page.waitForFunction(() => document.getElementById('count').textContent.startsWith('1 of'));
    await show(page, 'table');
    await page.click('#designs tbody tr .open');
    assert.deepEqual((await page.$$eval('#details-body .parents button', list => list.map(each => each.textContent))).sort(), child.parents.map(id => `design ${id}`).sort());
    assert.match(await page.$eval('#details-body', each => each.textContent), /The line has \d+ designs before it/);
    await page.click('#details-body .parents button');
    const parent = Number((await page.$eval('#details-title', each => each.textContent)).split(' ')[1]);
    assert.ok(child.parents.includes(parent));
    const children = events.filter(each => each.event === 'proposed' && (each.parents || []).includes(parent)).length;
    assert.match(await page.$eval('#details-body .children', each => each.textContent), new RegExp(`^${children} child`));
    await page.close();
  },

  async 'the slider shows the front of every generation'() {
    const page = await open(file), table = tableOf(readFileSync(`${run}/evaluations.csv`, 'utf8'));
    await page.focus('#generation');
    for (let i = 0; i < 3; ++i) await page.keyboard.press('ArrowLeft');
    const most = Math.max(...table.column('generation').map(Number)), limit = most - 3;
    const rows = table.rows.filter(row => Number(row[table.names.indexOf('generation')]) <= limit);
    assert.equal(await count(page), rows.length);
    const points = rows.filter(row => row[1] === 'completed').map(row => [Number(row[2]), Number(row[3])]);
    const front = points.filter(point => !points.some(other => dominates(other, point)));
    await show(page, 'front');
    assert.match(await page.$eval('#front-legend', each => each.textContent), new RegExp(`front \\(${front.length}\\)`));
    await page.close();
  },

  async 'export of what is selected and of what is picked'() {
    const page = await open(file), text = readFileSync(`${run}/evaluations.csv`, 'utf8'), table = tableOf(text);
    await page.evaluate(() => { const make = URL.createObjectURL.bind(URL); URL.createObjectURL = blob => { window.saved = blob.text(); return make(blob); }; });
    await show(page, 'table');
    await page.click('#export-shown');
    const exported = tableOf(await page.evaluate(() => window.saved));
    assert.deepEqual(exported.names, table.names);
    const byId = new Map(exported.rows.map(row => [row[0], row]));
    assert.equal(byId.size, table.rows.length);
    for (const row of table.rows) row.forEach((cell, i) => assert.ok(same(byId.get(row[0])[i], cell)));
    await page.focus('#designs tbody tr input');
    await page.keyboard.press('Space');
    await settle(page);
    await page.click('#export-picked');
    assert.equal(tableOf(await page.evaluate(() => window.saved)).rows.length, 1);
    await page.close();
  },

  async 'nothing for axe to find, in light and dark, wide and narrow'() {
    for (const scheme of ['light', 'dark'])
      for (const width of [1280, 400]) {
        const page = await open(file, {scheme, width});
        await drawAll(page);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width}: scrolls sideways`);
        await page.evaluate(() => document.querySelectorAll('details').forEach(each => { each.open = true; }));
        await violations(page, `${scheme} ${width}`);
        await page.screenshot({path: `${work}/page-${scheme}-${width}.png`, fullPage: true});
        await page.evaluate(() => document.querySelector('#designs .open').click());
        await violations(page, `${scheme} ${width}, details`);
        await page.close();
      }
  },

  async 'odd runs give a page'() {
    for (const [name, folder] of Object.entries(odd)) {
      report(folder, '-o', `${work}/${name}.html`);
      const page = await open(`${work}/${name}.html`);
      await drawAll(page);
      await violations(page, name);
      if (name === 'hostile') {
        assert.equal(await page.$$eval('img', list => list.length), 0);
        assert.ok((await page.$eval('#designs', each => each.textContent)).includes(evil));
        assert.ok((await page.$eval('#failures-table', each => each.textContent)).includes(evil));
        assert.ok((await page.$eval('#provenance-text', each => each.textContent)).includes(evil));
      }
      if (name === 'failed') assert.match(await page.$eval('#failures-table', each => each.textContent), /failed.*out of memory.*lost.*rank … died|failed.*out of memory.*lost.*rank 3 died/);
      if (name === 'devices') {
        assert.match(await page.$eval('#timeline-table', each => each.textContent), /rank 11.*rank 21.*left1.*right1/);
        await page.click('#designs tbody tr .open');
        const details = await page.$eval('#details-body', each => each.textContent);
        assert.match(details, /Valid|Not valid/);
        assert.match(details, /Learning curves.*first10\.14.*first20\.12.*first310\.11/s); // training, epoch, f1, rate, loss
        assert.equal(await page.$$eval('#details-body svg[aria-label^="f1 from"] polyline', list => list.length), 1);
        await violations(page, 'learning curves');
      }
      if (name === 'four') assert.equal(await count(page), 30);
      if (name === 'running') assert.match(await page.$eval('#tiles', each => each.textContent), /in flight3/);
      await page.close();
    }
  },

  async 'a page of a run that goes on reloads, and keeps the selection'() {
    const folder = madeUp('watched', 'f1,f2', 'id,status,f1,f2,x,conditions,generation\n1,completed,1,2,0.5,1,0\n2,completed,2,1,0.6,1,0\n', {phase: 'running', done: 2});
    const child = spawn(`${bin}/edgeloop-report`, [folder, '-o', `${work}/watched.html`, '--watch', '--every', '1'], {stdio: ['ignore', 'pipe', 'inherit']});
    await new Promise(done => child.stdout.once('data', done));
    const page = await open(`${work}/watched.html`);
    await page.type('#search', 'x=0.6');
    await page.waitForFunction(() => document.getElementById('count').textContent.startsWith('1 of 2'));
    writeFileSync(`${folder}/evaluations.csv`, 'id,status,f1,f2,x,conditions,generation\n1,completed,1,2,0.5,1,0\n2,completed,2,1,0.6,1,0\n3,completed,3,0,0.6,1,0\n');
    writeFileSync(`${folder}/status.json`, JSON.stringify({phase: 'finished', done: 3}));
    await page.waitForFunction(() => document.getElementById('count') && document.getElementById('count').textContent.startsWith('2 of 3'));
    assert.equal(await page.$eval('#search', each => each.value), 'x=0.6');
    if (child.exitCode === null) await new Promise(done => child.once('exit', done));
    assert.equal(child.exitCode, 0);
    await page.close();
  },

  async 'it compares runs'() {
    report(run, '--compare', `${oldRuns}/training`, '-o', `${work}/compared.html`);
    const page = await open(`${work}/compared.html`);
    await drawAll(page);
    assert.match(await page.$eval('#comparison-table', each => each.textContent), /search320.*training4/);
    await violations(page, 'compared');
    await page.close();
  },
};

const file = `${work}/report.html`;
report(run, '-o', file);
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  troubles = [];
  try {
    await test();
    assert.deepEqual(troubles, [], 'what the browser complained of');
    console.log(`ok      ${name}`);
  } catch (error) {
    ++failed;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
await browser.close();
console.log(`${Object.keys(tests).length - failed} of ${Object.keys(tests).length} passed`);
process.exit(failed ? 1 : 0);
