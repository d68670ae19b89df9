// The page: what the address asks for, the list of stores, the token. The address holds all of it: #store=S&prefix=P&key=K
// is a record of S beside the keys that begin with P; without a store it is the overview.
import * as api from './api.js';
import {button, byId, confirmed, h, problemBox, replaceContent} from './dom.js';
import {KeysPane} from './keys.js';
import {ALL, feed, Operations, rateText, sparkline, storeSeries, Summary} from './live.js';
import {RecordPane} from './record.js';

const HEALTH_MS = 5000;

let stores = [];
let health = {};
let view = null; // what is in <main>: {store, route(route), update(), healthChanged()}
let current = route(); // what is shown
let leavingFor = null; // an address that is followed though there are unsaved changes
let locked = false; // the sidecar wants a token that it has not got

function route(hash = location.hash) {
  const given = new URLSearchParams(hash.slice(1));
  return Object.fromEntries(
    ['store', 'prefix', 'key', 'isolation', 'new'].map((name) => [name, given.get(name) ?? '']),
  );
}

function hashOf(route) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(route)) if (value) query.set(name, value);
  return '#' + query;
}

function go(changes) {
  const wanted = hashOf({...current, ...changes});
  if (wanted === hashOf(route())) show();
  else location.hash = wanted;
}

// -- Stores -----------------------------------------------------------------------------------------------------------

function stateOf(name) {
  const known = health[name];
  if (!known) return {kind: 'unknown', text: 'not asked yet'};
  return known.status === 'up' ? {kind: 'up', text: 'up'} : {kind: 'down', text: 'down', reason: known.reason};
}

function stateBadge(name) {
  const state = stateOf(name);
  return h('span', {class: `state ${state.kind}`}, state.text);
}

function showStores() {
  const links = stores.map((store) =>
    h(
      'li',
      {},
      h(
        'a',
        {
          href: hashOf({store: store.name}),
          'data-store': store.name,
          'aria-current': store.name === current.store ? 'page' : null,
        },
        h('span', {class: 'name'}, store.name),
        h('span', {class: 'type'}, store.type),
        stateBadge(store.name),
      ),
    ),
  );
  replaceContent(
    byId('stores'),
    h('a', {class: 'overview', href: '#', 'aria-current': current.store === '' ? 'page' : null}, 'Overview'),
    h('h2', {}, 'Stores'),
    stores.length > 0 ? h('ul', {}, ...links) : h('p', {class: 'hint'}, 'There are none.'),
  );
}

const CAPABILITIES = [
  ['etag', 'etags'],
  ['ttl', 'time to live'],
  ['recordFields', 'creation data and tags'],
  ['list', 'listing'],
  ['orderedList', 'in order'],
  ['keysLike', 'patterns'],
  ['deletePrefix', 'deletion by prefix'],
  ['query', 'queries'],
  ['watch', 'watch'],
  ['exactJson', 'JSON kept as written'],
  ['durable', 'durable'],
];

function capabilities(store) {
  const can = store.capabilities;
  if (!can) return h('p', {class: 'hint'}, 'Not connected: what it can do is not known yet.');
  const operations = can.transactionOperationsMax;
  const transactions =
    operations === null
      ? 'transactions'
      : operations > 1
        ? `transactions of up to ${operations.toLocaleString('en')}`
        : null;
  return h(
    'ul',
    {class: 'capabilities', 'aria-label': `What ${store.name} can do`},
    ...CAPABILITIES.filter(([name]) => can[name]).map(([, text]) => h('li', {}, text)),
    transactions && h('li', {}, transactions),
  );
}

function storeReason(name) {
  const {reason} = stateOf(name);
  return reason && h('p', {class: 'reason'}, reason);
}

async function loadStores() {
  try {
    stores = await api.stores();
    byId('main').querySelector(':scope > .problem')?.remove();
    showStores();
    return true;
  } catch (error) {
    if (stores.length === 0)
      byId('main').replaceChildren(problemBox(api.titleOf(error), error.message, button('Try again', restart)));
    return false;
  }
}

let healthTimer = 0;
async function loadHealth() {
  clearTimeout(healthTimer);
  if (document.hidden || locked) return;
  try {
    const before = JSON.stringify(health);
    health = await api.health();
    if (JSON.stringify(health) === before) return;
    await loadStores(); // what has come, gone or connected meanwhile
    view?.healthChanged();
  } catch {
    /* said by api.events */
  } finally {
    clearTimeout(healthTimer);
    healthTimer = setTimeout(loadHealth, HEALTH_MS);
  }
}

// -- Views ------------------------------------------------------------------------------------------------------------

function overview() {
  const summary = new Summary();
  const operations = new Operations();
  const list = h('div', {class: 'store-cards'});
  const failed = h('div');
  const healthChanged = () => {
    replaceContent(
      list,
      ...stores.map((store) =>
        h(
          'article',
          {class: 'store-card', 'data-store': store.name},
          h('h3', {}, h('a', {href: hashOf({store: store.name})}, store.name), stateBadge(store.name)),
          h('p', {class: 'type'}, `${store.type} ${store.version ?? ''}`),
          storeReason(store.name),
          capabilities(store),
        ),
      ),
    );
  };
  healthChanged();
  return {
    store: '',
    elements: [
      h(
        'section',
        {class: 'pane', 'aria-labelledby': 'live-title'},
        h('h2', {id: 'live-title'}, 'Live'),
        summary.element,
        operations.element,
      ),
      h(
        'section',
        {class: 'pane', 'aria-labelledby': 'stores-title'},
        h('h2', {id: 'stores-title'}, 'Stores'),
        failed,
        list,
      ),
    ],
    route() {},
    healthChanged,
    update() {
      summary.update();
      operations.update();
      const gone = (feed.latest?.failedComponents ?? []).filter(
        (one) => !stores.some((store) => store.name === one.name),
      );
      failed.replaceChildren(
        ...gone.map((one) =>
          h(
            'p',
            {class: 'reason'},
            `${one.name} (${one.type}) could not be loaded, at its ${one.stage}; the sidecar's log says why.`,
          ),
        ),
      );
    },
    dirty: () => false,
  };
}

function storeView(store) {
  const here = {store: store.name};
  const record = new RecordPane({
    saved: (place) => {
      keys.added(place.key);
      shown = null;
      go({key: place.key, new: ''});
    },
    deleted: (place) => {
      keys.removed(place.key);
      go({key: ''});
    },
    leave: () => {
      shown = null;
      go({new: ''});
    },
  });
  const keys = new KeysPane({
    links: (key) => hashOf({...current, key, new: ''}),
    search: ({prefix, isolation}) => {
      const same = prefix === current.prefix && isolation === current.isolation;
      if (same) keys.reload();
      else go({prefix, isolation, key: '', new: ''});
    },
    openKey: (key, isolation) => key !== '' && go({key, isolation, new: ''}),
    create: ({isolation}) => go({isolation, key: '', new: '1'}),
  });
  const head = h('div', {class: 'store-head'});
  const rate = h('strong', {}, '–');
  const latency = h('span', {});
  const chart = sparkline(`Calls of ${store.name} a second, the last minutes`);
  const operations = new Operations(store.name);
  const can = h('div');
  const healthChanged = () => {
    const now = stores.find((one) => one.name === store.name) ?? store;
    head.replaceChildren(
      h('h1', {}, now.name, stateBadge(now.name)),
      h('p', {class: 'type'}, `${now.type} ${now.version ?? ''}`),
      storeReason(now.name) || '',
    );
    can.replaceChildren(capabilities(now));
  };
  healthChanged();
  let shown = null; // what the record pane shows
  return {
    store: store.name,
    elements: [
      h(
        'section',
        {class: 'pane store-pane'},
        head,
        h('div', {class: 'pulse'}, chart.element, h('p', {}, rate, ' calls/s ', latency)),
        h('details', {}, h('summary', {}, 'Capabilities'), can),
        h('details', {}, h('summary', {}, 'Rates and latencies'), operations.element),
      ),
      h('div', {class: 'browse'}, keys.element, record.element),
    ],
    route({prefix, key, isolation, new: isNew}) {
      keys.show({...here, prefix, isolation}, key);
      const wanted = JSON.stringify([key, isolation, isNew]);
      if (wanted === shown) return;
      shown = wanted;
      if (key) record.show({...here, key, isolation});
      else if (isNew) record.create({...here, prefix, isolation});
      else record.clear(h('p', {class: 'hint'}, 'Choose a key to see its record.'));
    },
    healthChanged,
    update() {
      const now = feed.now(storeSeries(store.name));
      if (now) {
        rate.textContent = rateText(now.rate);
        latency.textContent = now.mean === '–' ? '' : `· mean ${now.mean} · p99 ${now.p99}`;
        chart.update(feed.rates(storeSeries(store.name)));
      }
      operations.update();
    },
    dirty: () => record.dirty,
    forgetEdit: () => record.forgetEdit(),
  };
}

function show() {
  current = route();
  showStores();
  document.title = [current.key, current.store, 'Holdfast'].filter(Boolean).join(' · ');
  if (current.store !== '' && !stores.some((store) => store.name === current.store)) {
    view = null;
    byId('main').replaceChildren(problemBox('There is no such store', `No store is called ${current.store}.`));
    return;
  }
  if (view === null || view.store !== current.store) {
    view = current.store === '' ? overview() : storeView(stores.find((store) => store.name === current.store));
    byId('main').replaceChildren(...view.elements);
    view.update();
  }
  view.route(current);
}

async function addressChanged() {
  if (location.hash === leavingFor) leavingFor = null;
  else if (view?.dirty()) {
    const target = location.hash;
    history.replaceState(null, '', hashOf(current));
    const yes = await confirmed({
      title: 'Leave your changes?',
      text: 'What you have changed is not saved.',
      yes: 'Leave them',
    });
    if (!yes) return;
    view.forgetEdit();
    leavingFor = target;
    if (location.hash === target) addressChanged();
    else location.hash = target;
    return;
  }
  show();
}

// -- Token and connection ---------------------------------------------------------------------------------------------

const asking = byId('token-dialog');

function askForToken() {
  if (asking.open) return;
  byId('token-error').hidden = api.token.get() === '';
  byId('token-error').textContent = 'The sidecar does not accept this token.';
  byId('token-field').value = '';
  asking.showModal();
}

asking.querySelector('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const value = byId('token-field').value.trim();
  if (!/^[\x21-\x7e]+$/.test(value)) {
    byId('token-error').textContent = 'A token is made of letters, digits and signs, without blanks.';
    byId('token-error').hidden = false;
    return;
  }
  api.token.set(value);
  asking.close();
  await restart();
});
byId('token-cancel').addEventListener('click', () => asking.close());
byId('token-forget').addEventListener('click', () => {
  api.token.forget();
  location.reload();
});
byId('token-button').addEventListener('click', askForToken);

function banner(text) {
  const element = byId('banner');
  element.hidden = text === '';
  if (element.textContent !== text) element.textContent = text;
}

api.events.addEventListener('reached', () => {
  if (byId('connection').dataset.state === 'lost') restart();
  byId('connection').dataset.state = 'live';
  byId('connection').textContent = 'live';
  banner('');
});
api.events.addEventListener('unreachable', () => {
  byId('connection').dataset.state = 'lost';
  byId('connection').textContent = 'no answer';
  banner('The sidecar does not answer. What you see is what it said last; this page goes on asking.');
});
api.events.addEventListener('unauthorized', () => {
  locked = true;
  feed.pause();
  byId('token-button').hidden = false;
  askForToken();
});

feed.addEventListener('sample', () => {
  const {version, appId} = feed.latest;
  byId('about').textContent = `${appId} · version ${version}`;
  view?.update();
});

// Everything anew: at the start, with another token, and when the sidecar is back.
async function restart() {
  locked = false;
  byId('token-button').hidden = api.token.get() === '';
  if (!(await loadStores())) return;
  if (!view?.dirty()) view = null;
  show();
  feed.resume();
  loadHealth();
}

window.addEventListener('hashchange', addressChanged);
window.addEventListener('beforeunload', (event) => {
  if (view?.dirty()) event.preventDefault();
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) loadHealth();
  byId('connection').textContent = document.hidden
    ? 'paused'
    : byId('connection').dataset.state === 'lost'
      ? 'no answer'
      : 'live';
});

feed.start();
restart();
