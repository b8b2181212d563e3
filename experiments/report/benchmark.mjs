// benchmark.mjs PAGE BROWSER: seconds to the first drawing, and milliseconds from a brush to its drawing.
import {statSync} from 'node:fs';
import puppeteer from 'puppeteer-core';

const [, , file, executablePath] = process.argv, brushes = 30;
const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const browser = await puppeteer.launch({executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu']});
const first = [], busy = [];
let page = null, clock = null;
// Seconds of the processor that the page's main thread has used: other work on the machine changes it little.
const used = async () => (await clock.send('Performance.getMetrics')).metrics.find(each => each.name === 'TaskDuration').value;
for (let i = 0; i < 5; ++i) {
  if (page) await page.close();
  page = await browser.newPage();
  await page.setViewport({width: 1280, height: 1500});
  clock = await page.createCDPSession();
  await clock.send('Performance.enable', {timeDomain: 'threadTicks'});
  await page.goto('file://' + file);
  first.push(await page.evaluate(() => new Promise(done => {
    const look = () => document.documentElement.dataset.ready && document.querySelector('#front-chart canvas') ? requestAnimationFrame(() => setTimeout(() => done(performance.now()))) : requestAnimationFrame(look);
    look();
  })));
  busy.push(await used());
}
// Front, axes and table are in sight; a handle of an axis moves, and the clock stops behind the frame that shows it.
await page.evaluate(() => document.getElementById('front').scrollIntoView());
await new Promise(done => setTimeout(done, 500));
const before = await used();
const times = await page.evaluate(async count => {
  const found = [];
  for (let i = 0; i < count; ++i) {
    await new Promise(done => setTimeout(done, 60));
    await new Promise(done => {
      const began = performance.now();
      document.querySelector('.handle[aria-label="latency_ms, most"]').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}));
      requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => { found.push(performance.now() - began); done(); }; channel.port2.postMessage(0); });
    });
  }
  return found;
}, brushes);
const each = (await used() - before) / brushes;
console.log(`${(statSync(file).size / 1e6).toFixed(2)} MB; first drawing after ${(median(first) / 1e3).toFixed(2)} s (${median(busy).toFixed(2)} s of a core); ` +
            `brush to repaint ${median(times).toFixed(0)} ms, most ${Math.max(...times).toFixed(0)} ms (${(1e3 * each).toFixed(0)} ms of a core, with the table, which follows)`);
await browser.close();
