// The page of the shortener. Everything it shows is put into the document as text, never as markup.
'use strict';

const $ = (id) => document.getElementById(id);
const keyStore = {
  get: () => sessionStorage.getItem('apiKey') || '',
  set: (key) => sessionStorage.setItem('apiKey', key),
};
let nextCursor = null;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function say(text, isBad = false) {
  $('message').textContent = text;
  $('message').className = isBad ? 'bad' : '';
}

async function call(method, path, body, headers = {}) {
  const key = keyStore.get();
  if (key) headers.Authorization = 'Bearer ' + key;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  headers.Accept = 'application/json';
  let answer;
  try {
    answer = await fetch(path, {method, headers, body: body === undefined ? undefined : JSON.stringify(body)});
  } catch (error) {
    throw {detail: 'The service cannot be reached. Try again.'};
  }
  const text = await answer.text();
  let json = {};
  try {
    json = text ? JSON.parse(text) : {};
  } catch (error) {
    json = {detail: 'The answer was not understood.'};
  }
  if (answer.status === 401) {
    $('key-box').hidden = false;
    $('key').focus();
  }
  if (!answer.ok) throw Object.assign({status: answer.status, detail: 'It did not work (' + answer.status + ').'}, json);
  return json;
}

function report(problem) {
  if ((problem.type || '').endsWith('/missing-authentication')) return say('');  // the box for the key says it
  say(problem.detail || 'It did not work.', true);
}

// --- Create ---

const fields = {longUrl: 'long-url', customSlug: 'slug', validUntil: 'until'};

function showErrors(errors) {
  let first = null;
  for (const [name, id] of Object.entries(fields)) {
    const error = errors.find((each) => each.pointer === '#/' + name);
    $(id + '-error').textContent = error ? error.detail : '';
    $(id).setAttribute('aria-invalid', error ? 'true' : 'false');
    if (error && !first) first = $(id);
  }
  if (first) first.focus();
  return first !== null;
}

let createKey = null;  // the same for a try that is repeated, so that one link is made
$('create-form').addEventListener('input', () => { createKey = null; });
$('create-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = {longUrl: $('long-url').value.trim()};
  if ($('slug').value.trim()) body.customSlug = $('slug').value.trim();
  if ($('until').value) body.validUntil = new Date($('until').value).toISOString();
  createKey = createKey || Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
  try {
    const link = await call('POST', '/api/v1/links', body, {'Idempotency-Key': createKey});
    createKey = null;
    showErrors([]);
    say('The link was made.');
    $('made').hidden = false;
    $('made-link').textContent = link.shortUrl;
    $('made-link').href = link.shortUrl;
    $('made-qr').src = '/' + link.shortCode + '/qr?size=240&format=svg';
    $('made-qr').alt = 'QR code of ' + link.shortUrl;
    $('create-form').reset();
    loadLinks(true);
  } catch (problem) {
    if (!showErrors(problem.errors || [])) report(problem);
    else say('Some of it is not right.', true);
  }
});

$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('made-link').textContent);
    say('Copied.');
  } catch (error) {
    const range = document.createRange();
    range.selectNodeContents($('made-link'));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    say('The link is selected: copy it with Ctrl+C.');
  }
});

// --- List ---

function button(text, label, action, className) {
  const made = element('button', text, className);
  made.type = 'button';
  made.setAttribute('aria-label', label);
  made.addEventListener('click', action);
  return made;
}

function notes(link) {
  const words = [];
  if (!link.enabled) words.push('switched off');
  if (link.meta.validUntil) words.push('until ' + new Date(link.meta.validUntil).toLocaleString());
  if (link.meta.maxVisits) words.push('at most ' + link.meta.maxVisits + ' visits');
  return words.join(' · ');
}

function row(link) {
  const item = element('li');
  const short = element('p', undefined, 'short');
  const anchor = element('a', link.shortUrl);
  anchor.href = link.shortUrl;
  anchor.rel = 'noopener';
  short.append(anchor);
  item.append(short);
  if (link.title) item.append(element('p', link.title));
  item.append(element('p', link.longUrl, 'target'));
  const about = notes(link);
  if (about) item.append(element('p', about, 'note'));
  const actions = element('div', undefined, 'actions');
  const path = '/api/v1/links/' + link.shortCode;
  actions.append(button('Statistics', 'Statistics of ' + link.shortCode, () => showStats(link)));
  actions.append(button(link.enabled ? 'Switch off' : 'Switch on', (link.enabled ? 'Switch off ' : 'Switch on ') + link.shortCode, async () => {
    try {
      const changed = await call('PATCH', path, {enabled: !link.enabled});
      const fresh = row(changed);
      item.replaceWith(fresh);
      fresh.querySelectorAll('button')[1].focus();
      say(changed.shortCode + (changed.enabled ? ' is on.' : ' is off.'));
    } catch (problem) {
      report(problem);
    }
  }));
  actions.append(button('Delete', 'Delete ' + link.shortCode, async () => {
    if (!confirm('Delete ' + link.shortUrl + '? Its code is never given away again.')) return;
    try {
      await call('DELETE', path);
      item.remove();
      $('none').hidden = $('links').children.length > 0;
      say(link.shortCode + ' was deleted.');
    } catch (problem) {
      report(problem);
    }
  }, 'bad'));
  item.append(actions);
  return item;
}

async function loadLinks(fromTheStart) {
  const query = new URLSearchParams({limit: '10'});
  if ($('search').value.trim()) query.set('searchTerm', $('search').value.trim());
  if (!fromTheStart && nextCursor) query.set('cursor', nextCursor);
  try {
    const page = await call('GET', '/api/v1/links?' + query);
    if (fromTheStart) $('links').replaceChildren();
    for (const link of page.data) $('links').append(row(link));
    nextCursor = page.nextCursor;
    $('more').hidden = nextCursor === null;
    $('none').hidden = $('links').children.length > 0;
  } catch (problem) {
    report(problem);
  }
}
$('search-form').addEventListener('submit', (event) => {
  event.preventDefault();
  loadLinks(true);
});
$('more').addEventListener('click', () => loadLinks(false));

// --- Statistics ---

const svgNamespace = 'http://www.w3.org/2000/svg';
function shape(name, attributes, text) {
  const made = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Every day of the range has its place, the days without a visit too.
function everyDay(days, range) {
  const byDate = new Map(days.map((day) => [day.date, day.total]));
  const all = [];
  const last = new Date(range.to + 'T00:00:00Z');
  for (let at = new Date(range.from + 'T00:00:00Z'); at <= last && all.length < 366; at.setUTCDate(at.getUTCDate() + 1)) {
    const date = at.toISOString().slice(0, 10);
    all.push({date, total: byDate.get(date) || 0});
  }
  return all;
}

function plot(days, range) {
  if (days.length === 0) return element('p', 'No visits in these days.', 'note');
  const all = everyDay(days, range);
  const width = Math.min(640, Math.max(240, $('by-day').clientWidth)), height = 180, left = 44, bottom = 24, top = 8;
  const most = Math.max(1, ...all.map((day) => day.total));
  const svg = shape('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img',
    'aria-label': `${range.total} visits from ${all[0].date} to ${all[all.length - 1].date}, at most ${most} a day`});
  const base = height - bottom;
  for (const [value, y] of [[most, top], [0, base]]) {
    svg.append(shape('line', {x1: left, x2: width, y1: y, y2: y}));
    svg.append(shape('text', {x: left - 6, y: y + 4, 'text-anchor': 'end'}, value));
  }
  const step = (width - left) / all.length;
  all.forEach((day, i) => {
    const tall = (base - top) * day.total / most;
    const bar = shape('rect', {class: 'bar', x: left + i * step + step * 0.1, y: base - tall, width: Math.min(step * 0.8, 60), height: tall});
    bar.append(shape('title', {}, `${day.date}: ${day.total}`));
    svg.append(bar);
  });
  svg.append(shape('text', {x: left, y: height - 6}, all[0].date));
  if (all.length > 1) svg.append(shape('text', {x: width, y: height - 6, 'text-anchor': 'end'}, all[all.length - 1].date));
  return svg;
}

function table(rows, caption) {
  if (!rows || rows.length === 0) return element('p', 'Nothing yet.', 'note');
  const made = element('table');
  const head = element('tr');
  for (const word of [caption, 'Visits']) {
    const cell = element('th', word);
    cell.scope = 'col';
    head.append(cell);
  }
  made.append(head);
  for (const each of rows.slice(0, 20)) {
    const line = element('tr');
    line.append(element('td', each.name || '(direct)'), element('td', String(each.total)));
    made.append(line);
  }
  return made;
}

// Days are those of whoever looks, where the service knows that time zone.
async function readStats(link) {
  const path = '/stats/' + link.shortCode;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    return await call('GET', path + '?' + new URLSearchParams({tz: zone}));
  } catch (problem) {
    if (problem.status === 400) return call('GET', path);
    throw problem;
  }
}

async function showStats(link) {
  try {
    const stats = await readStats(link);
    const summary = stats.visitsSummary;
    $('stats').hidden = false;
    $('stats-title').textContent = 'Statistics of ' + link.shortCode;
    const words = [summary.total + ' visits'];
    if (summary.bots > 0) words.push(summary.bots + ' of them by robots');
    if (stats.lastVisit) words.push('the last one ' + new Date(stats.lastVisit).toLocaleString());
    $('stats-summary').textContent = words.join(', ') + '.';
    const visitors = stats.visitorsByDay.reduce((sum, day) => sum + day.estimate, 0);
    const range = `${stats.range.from} to ${stats.range.to} (${stats.range.tz}): ${stats.range.total} visits, about ${visitors} ${visitors === 1 ? 'visitor' : 'visitors'} (who came on two days counts twice).`;
    $('stats-range').textContent = range + (stats.freshAsOf ? ' Counted up to ' + new Date(stats.freshAsOf).toLocaleTimeString() + '.' : '');
    $('by-day').replaceChildren(plot(stats.byDay, stats.range));
    $('referrers').replaceChildren(table(stats.referrers, 'Referrer'));
    $('devices').replaceChildren(table(stats.devices, 'Device'));
    $('stats').focus();
    $('stats').scrollIntoView({block: 'nearest'});
  } catch (problem) {
    report(problem);
  }
}
$('stats-close').addEventListener('click', () => {
  $('stats').hidden = true;
  $('search').focus();
});

$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  keyStore.set($('key').value.trim());
  $('key').value = '';
  $('key-box').hidden = true;
  say('');
  loadLinks(true);
});

loadLinks(true);
