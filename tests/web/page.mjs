// Drives the page in Chromium: node page.mjs URL FOLDER MODULES [API-KEY]. Prints what it saw as JSON; screenshots go to FOLDER.
import {createRequire} from 'node:module';

const [url, folder, modules, key] = process.argv.slice(2);
const {chromium} = createRequire(modules + '/x.js')('playwright-core');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const seen = {errors: [], foreign: [], widths: {}};
try {
  for (const width of [360, 1280]) {
    const page = await browser.newPage({viewport: {width, height: 800}});
    page.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
    page.on('pageerror', (error) => seen.errors.push(String(error)));
    page.on('request', (request) => request.url().startsWith(url) || seen.foreign.push(request.url()));
    page.on('dialog', (dialog) => dialog.accept());
    await page.goto(url + '/', {waitUntil: 'networkidle'});
    if (key) {
      await page.waitForSelector('#key-box:not([hidden])');
      await page.screenshot({path: `${folder}/key-${width}.png`});
      await page.fill('#key', key);
      await page.press('#key', 'Enter');
      await page.waitForSelector('#key-box', {state: 'hidden'});
    }
    const slug = 'page-' + width + '-' + Date.now();
    // By keyboard alone, as somebody without a mouse does it.
    await page.focus('#long-url');
    await page.keyboard.type('https://example.com/a/very/long/way/that/does/not/fit/on/a/small/screen?with=a&query=too');
    await page.keyboard.press('Tab');
    await page.keyboard.type(slug);
    await page.fill('#until', '2035-01-31T12:00');
    await page.press('#slug', 'Enter');
    await page.waitForSelector('#made:not([hidden])');
    const link = await page.textContent('#made-link');
    await page.waitForSelector(`#links >> text=${slug}`);
    // Twice somebody with a phone, and once a browser that says that it is driven by a program.
    const phone = {'User-Agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148', Referer: 'https://t.co/x'};
    for (const headers of [phone, phone, {}]) {
      await page.request.get(url + '/' + slug, {maxRedirects: 0, headers});
    }
    for (let total = 0, tries = 0; total < 3; ++tries) {
      if (tries === 150) throw new Error('three visits were not counted');
      await page.waitForTimeout(200);
      const stats = await page.request.get(url + '/stats/' + slug, {headers: key ? {'X-Api-Key': key} : {}});
      total = stats.ok() ? (await stats.json()).visitsSummary.total : 0;
    }
    await page.click(`[aria-label="Statistics of ${slug}"]`);
    await page.waitForSelector('#stats:not([hidden])');
    const summary = await page.textContent('#stats-summary');
    const range = await page.textContent('#stats-range');
    const bars = await page.$$eval('#by-day rect.bar', (all) => all.map((bar) => bar.textContent));
    const letters = await page.$eval('#by-day text', (text) => Math.round(text.getBoundingClientRect().height));
    const rowsOf = (id) => page.$$eval(`#${id} td`, (cells) => cells.map((cell) => cell.textContent));
    const referrers = await rowsOf('referrers');
    const devices = await rowsOf('devices');
    await page.screenshot({path: `${folder}/page-${width}.png`, fullPage: true});
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    const qr = await page.evaluate(() => document.getElementById('made-qr').naturalWidth);
    const unlabelled = await page.evaluate(() => [...document.querySelectorAll('input, button')]
      .filter((each) => !each.labels?.length && !each.textContent.trim() && !each.getAttribute('aria-label')).length);
    await page.click(`[aria-label="Switch off ${slug}"]`);
    await page.waitForSelector(`[aria-label="Switch on ${slug}"]`);
    await page.fill('#long-url', 'ftp://example.com/');
    await page.click('button.main');
    await page.waitForFunction(() => document.getElementById('long-url-error').textContent !== '');
    const refused = seen.errors.length;  // the browser logs the 400 as an error
    await page.click(`[aria-label="Delete ${slug}"]`);
    await page.waitForSelector(`[aria-label="Delete ${slug}"]`, {state: 'detached'});
    seen.errors = seen.errors.filter((text) => !text.includes('status of 400') && !(key && text.includes('status of 401')));
    await page.goto(url + '/docs', {waitUntil: 'networkidle'});
    const calls = await page.locator('details').count();
    await page.screenshot({path: `${folder}/docs-${width}.png`});
    seen.widths[width] = {link, summary, range, bars, letters, referrers, devices, overflow, qr, unlabelled, refused, calls, slug};
    await page.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
