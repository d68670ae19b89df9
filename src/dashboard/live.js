// Rates and latencies: /v2/stats every other second, and what two answers differ by. One Feed for the page; its views
// come and go.
import * as api from './api.js';
import {bytesText, durationText, h, svg} from './dom.js';

const POLL_MS = 1500;
const KEPT = 60; // answers, for a minute and a half of sparkline
const WINDOW_SECONDS = 10; // what latencies are taken of

// Pings are the health checks of this page.
const isShown = (operation) => operation !== 'ping';

const emptyCalls = (bounds) => ({
  succeeded: {count: 0, sumMs: 0, buckets: new Array(bounds + 1).fill(0)},
  failed: {count: 0, sumMs: 0, buckets: new Array(bounds + 1).fill(0)},
});

// Series by name: "store\noperation", and the sums "store\n" of a store and "\n" of all.
function seriesOf(stats) {
  const series = new Map();
  const bounds = stats.latencyBoundsMs.length;
  const add = (name, calls) => {
    if (!series.has(name)) series.set(name, emptyCalls(bounds));
    const sum = series.get(name);
    for (const outcome of ['succeeded', 'failed']) {
      sum[outcome].count += calls[outcome].count;
      sum[outcome].sumMs += calls[outcome].sumMs;
      calls[outcome].buckets.forEach((count, i) => {
        sum[outcome].buckets[i] += count;
      });
    }
  };
  add('\n', emptyCalls(bounds));
  for (const store of stats.stores) {
    for (const one of store.operations) {
      if (!isShown(one.operation)) continue;
      add(`${store.name}\n${one.operation}`, one);
      add(`${store.name}\n`, one);
      add('\n', one);
    }
  }
  add('http', stats.http);
  add('grpc', stats.grpc);
  return series;
}

export const storeSeries = (store) => `${store}\n`;
export const operationSeries = (store, operation) => `${store}\n${operation}`;
export const ALL = '\n';

class Feed extends EventTarget {
  #samples = []; // {at, stats, series}, the oldest first
  #timer = 0;
  #running = false;
  #asking = false;

  start() {
    document.addEventListener('visibilitychange', () => this.#apply());
    this.#running = true;
    this.#apply();
  }

  // After another token, or when the sidecar is back.
  poke() {
    clearTimeout(this.#timer);
    this.#apply();
  }

  pause() {
    this.#running = false;
  }
  resume() {
    this.#running = true;
    this.poke();
  }

  #apply() {
    clearTimeout(this.#timer);
    if (this.#running && !document.hidden) this.#ask();
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#take(await api.stats());
    } catch {
      /* said by api.events */
    }
    this.#asking = false;
    clearTimeout(this.#timer);
    if (this.#running && !document.hidden) this.#timer = setTimeout(() => this.#ask(), POLL_MS);
  }

  #take(stats) {
    const last = this.#samples.at(-1);
    if (last && stats.uptimeSeconds < last.at) this.#samples = []; // it has started over
    this.#samples.push({at: stats.uptimeSeconds, stats, series: seriesOf(stats)});
    while (this.#samples.length > KEPT) this.#samples.shift();
    this.dispatchEvent(new Event('sample'));
  }

  get latest() {
    return this.#samples.at(-1)?.stats ?? null;
  }

  // Requests a second between each two answers.
  rates(name) {
    const out = [];
    for (let i = 1; i < this.#samples.length; ++i)
      out.push(this.#between(this.#samples[i - 1], this.#samples[i], name).rate);
    return out;
  }

  // What is known of a series now; null before there are two answers.
  now(name) {
    const last = this.#samples.at(-1);
    const previous = this.#samples.at(-2);
    if (!previous) return null;
    const from = this.#samples.findLast((one) => last.at - one.at >= WINDOW_SECONDS) ?? this.#samples[0];
    const {rate, errorRate} = this.#between(previous, last, name);
    return {rate, errorRate, ...latencies(this.#between(from, last, name), last.stats.latencyBoundsMs)};
  }

  total(name) {
    const calls = this.#samples.at(-1)?.series.get(name);
    return calls ? calls.succeeded.count + calls.failed.count : 0;
  }

  #between(from, to, name) {
    const bounds = to.stats.latencyBoundsMs.length;
    const after = to.series.get(name) ?? emptyCalls(bounds);
    const before = from.series.get(name) ?? emptyCalls(bounds);
    const seconds = Math.max(0.001, to.at - from.at);
    const more = (outcome) => Math.max(0, after[outcome].count - before[outcome].count);
    const buckets = after.succeeded.buckets.map(
      (count, i) => count - before.succeeded.buckets[i] + after.failed.buckets[i] - before.failed.buckets[i],
    );
    const sumMs = after.succeeded.sumMs + after.failed.sumMs - before.succeeded.sumMs - before.failed.sumMs;
    const count = more('succeeded') + more('failed');
    return {count, buckets, sumMs, rate: count / seconds, errorRate: more('failed') / seconds};
  }
}

// A bucket says only between which bounds: so do we.
function percentile({count, buckets}, bounds, part) {
  let seen = 0;
  for (let i = 0; i < buckets.length; ++i) {
    seen += buckets[i];
    if (seen < count * part || seen === 0) continue;
    if (i === bounds.length) return `> ${bounds.at(-1)} ms`;
    return i === 0 ? `< ${bounds[0]} ms` : `≤ ${bounds[i]} ms`;
  }
  return '–';
}

function timeText(ms) {
  if (ms < 0.1) return `${Math.round(ms * 1000)} µs`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

function latencies(calls, bounds) {
  if (calls.count === 0) return {mean: '–', p50: '–', p99: '–'};
  return {
    mean: timeText(Math.max(0, calls.sumMs / calls.count)),
    p50: percentile(calls, bounds, 0.5),
    p99: percentile(calls, bounds, 0.99),
  };
}

export const feed = new Feed();

export function rateText(rate) {
  if (rate === 0) return '0';
  if (rate < 10) return rate.toFixed(1);
  return Math.round(rate).toLocaleString('en');
}

const WIDTH = 120;
const HEIGHT = 28;
const SHOWN_MIN = 20; // as wide as the chart with fewer values

// A small chart of the last minute and a half. update() with as many values as there are.
export function sparkline(label) {
  const area = svg('path', {class: 'area'});
  const line = svg('path', {class: 'line'});
  const element = svg(
    'svg',
    {
      class: 'sparkline',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': label,
    },
    area,
    line,
  );
  const update = (values) => {
    const most = Math.max(...values, 1e-9);
    const step = WIDTH / Math.max(values.length - 1, SHOWN_MIN);
    const left = WIDTH - step * (values.length - 1);
    const points = values.map(
      (value, i) => `${(left + i * step).toFixed(1)},${(HEIGHT - 2 - (value / most) * (HEIGHT - 5)).toFixed(1)}`,
    );
    const path = values.length > 1 ? `M${points.join('L')}` : '';
    line.setAttribute('d', path);
    area.setAttribute('d', path && `${path}L${WIDTH},${HEIGHT}L${left.toFixed(1)},${HEIGHT}Z`);
  };
  return {element, update};
}

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

// One number of the overview, with a chart if there is a series.
function card(label, series) {
  const value = h('dd', {}, '–');
  const detail = h('dd', {class: 'detail'});
  const chart = series === undefined ? null : sparkline(`${label}, the last minutes`);
  return {
    element: h('div', {class: 'card'}, h('dt', {}, label), value, detail, chart && h('dd', {}, chart.element)),
    value,
    detail,
    chart,
  };
}

// Calls a second of the stores, and the process: for the overview.
export class Summary {
  #cards = {
    calls: card('Store calls/s', ALL),
    errors: card('Errors/s'),
    http: card('HTTP requests/s', 'http'),
    grpc: card('gRPC calls/s', 'grpc'),
    memory: card('Memory'),
    cpu: card('Processor time'),
  };
  #cpu = null;
  element = h('dl', {class: 'cards'}, ...Object.values(this.#cards).map((one) => one.element));

  update() {
    const stats = feed.latest;
    if (!stats) return;
    const now = feed.now(ALL);
    const show = (name, text, detail = '') => {
      setText(this.#cards[name].value, text);
      setText(this.#cards[name].detail, detail);
    };
    if (now) {
      show(
        'calls',
        rateText(now.rate),
        now.mean === '–' ? 'none in the last 10 s' : `mean ${now.mean}, p99 ${now.p99}`,
      );
      show('errors', rateText(now.errorRate), 'of the stores; a refused etag is one');
      for (const name of ['http', 'grpc']) {
        const server = feed.now(name);
        if (!stats.countsRequests) show(name, '–', 'not counted: metrics are off');
        else show(name, rateText(server.rate), `${feed.total(name).toLocaleString('en')} since the start`);
      }
      this.#cards.calls.chart.update(feed.rates(ALL));
      this.#cards.http.chart.update(feed.rates('http'));
      this.#cards.grpc.chart.update(feed.rates('grpc'));
    }
    show('memory', bytesText(stats.residentBytes), 'resident');
    const used =
      this.#cpu && stats.uptimeSeconds > this.#cpu.at
        ? (stats.cpuSeconds - this.#cpu.seconds) / (stats.uptimeSeconds - this.#cpu.at)
        : null;
    show(
      'cpu',
      used === null ? '–' : `${(100 * used).toFixed(used < 0.1 ? 1 : 0)} %`,
      `of a core; up ${durationText(stats.uptimeSeconds)}`,
    );
    this.#cpu = {at: stats.uptimeSeconds, seconds: stats.cpuSeconds};
  }
}

// One row for each operation, of one store or of all.
export class Operations {
  #store;
  #rows = new Map();
  #body = h('tbody');
  #none = h('p', {class: 'hint'}, 'Nothing has been called yet.');
  #table;

  constructor(store = null) {
    this.#store = store;
    const heads = ['Operation', 'Calls/s', 'Errors/s', 'Mean', 'p50', 'p99', 'Last minutes', 'Total'];
    if (store === null) heads.unshift('Store');
    this.#table = h(
      'table',
      {class: 'operations', hidden: true},
      h('caption', {class: 'unseen'}, 'Calls of the stores'),
      h('thead', {}, h('tr', {}, ...heads.map((text) => h('th', {scope: 'col'}, text)))),
      this.#body,
    );
    this.element = h(
      'div',
      {class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': 'Rates and latencies'},
      this.#table,
      this.#none,
    );
  }

  #row(store, operation) {
    const name = operationSeries(store, operation);
    if (this.#rows.has(name)) return this.#rows.get(name);
    const cells = ['rate', 'errors', 'mean', 'p50', 'p99'].map((what) =>
      h('td', {class: 'number', 'data-what': what}, '–'),
    );
    const chart = sparkline(`${operation} of ${store}, the last minutes`);
    const total = h('td', {class: 'number', 'data-what': 'total'});
    const element = h(
      'tr',
      {'data-store': store, 'data-operation': operation},
      this.#store === null && h('th', {scope: 'row'}, store),
      h(this.#store === null ? 'td' : 'th', this.#store === null ? {} : {scope: 'row'}, operation.replaceAll('_', ' ')),
      ...cells,
      h('td', {}, chart.element),
      total,
    );
    const made = {element, cells, chart, total, name};
    this.#rows.set(name, made);
    this.#body.append(element);
    return made;
  }

  update() {
    const stats = feed.latest;
    if (!stats) return;
    for (const store of stats.stores) {
      if (this.#store !== null && store.name !== this.#store) continue;
      for (const {operation} of store.operations) {
        if (!isShown(operation)) continue;
        const row = this.#row(store.name, operation);
        setText(row.total, feed.total(row.name).toLocaleString('en'));
        const now = feed.now(row.name);
        if (!now) continue;
        const texts = [rateText(now.rate), rateText(now.errorRate), now.mean, now.p50, now.p99];
        texts.forEach((text, i) => setText(row.cells[i], text));
        row.cells[1].classList.toggle('bad', now.errorRate > 0);
        row.chart.update(feed.rates(row.name));
      }
    }
    this.#table.hidden = this.#rows.size === 0;
    this.#none.hidden = this.#rows.size > 0;
  }
}
