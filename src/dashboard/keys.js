// The keys of a store that begin with a prefix, a page at a time.
import * as api from './api.js';
import {button, h, problemBox} from './dom.js';

export class KeysPane {
  #place = null; // {store, prefix, isolation}
  #cursor = null;
  #count = 0;
  #selected = null;
  #loading = null;
  #links; // (key) => hash
  #list = h('ul', {class: 'keys', 'aria-label': 'Keys'});
  #status = h('p', {class: 'hint', role: 'status'});
  #trouble = h('div');
  #more = button('Show more', () => this.#load());
  #prefix = h('input', {
    id: 'prefix',
    type: 'text',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    placeholder: 'all keys',
  });
  #isolation = h('input', {
    id: 'isolation',
    type: 'text',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    placeholder: 'none',
  });

  // `links` makes the address of a key; `search`, `openKey` and `create` are told what the user asks for.
  constructor({links, search, openKey, create}) {
    this.#links = links;
    const asked = () => ({prefix: this.#prefix.value, isolation: this.#isolation.value.trim()});
    const form = h(
      'form',
      {
        class: 'search',
        onsubmit: (event) => {
          event.preventDefault();
          search(asked());
        },
      },
      h('label', {for: 'prefix'}, 'Keys that begin with'),
      this.#prefix,
      h('label', {for: 'isolation'}, 'Isolation key'),
      this.#isolation,
      h(
        'div',
        {class: 'actions'},
        h('button', {type: 'submit', class: 'primary'}, 'List keys'),
        button('Open key', () => openKey(this.#prefix.value, asked().isolation), 'quiet'),
        button('New record', () => create(asked()), 'quiet'),
      ),
    );
    this.element = h(
      'section',
      {class: 'pane keys-pane', 'aria-label': 'Keys of the store'},
      form,
      this.#trouble,
      this.#status,
      this.#list,
      this.#more,
    );
    this.#more.hidden = true;
  }

  // Lists anew if it is another place.
  show(place, selected) {
    this.#selected = selected;
    const same = this.#place && ['store', 'prefix', 'isolation'].every((name) => this.#place[name] === place[name]);
    if (same) return this.#mark();
    this.#place = place;
    this.#prefix.value = place.prefix;
    this.#isolation.value = place.isolation;
    return this.reload();
  }

  reload() {
    this.#cursor = null;
    this.#count = 0;
    this.#list.replaceChildren();
    return this.#load();
  }

  async #load() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    this.#trouble.replaceChildren();
    this.#status.textContent = 'Listing…';
    this.#more.disabled = true;
    try {
      const page = await api.keys(this.#place, this.#cursor, loading.signal);
      if (loading.signal.aborted) return;
      this.#add(page.items);
      this.#cursor = page.cursor;
      this.#status.textContent =
        this.#count === 0 && page.cursor === null
          ? 'No keys.'
          : `${this.#count} ${this.#count === 1 ? 'key' : 'keys'}${page.cursor === null ? '.' : ' so far; there are more.'}`;
      this.#more.hidden = page.cursor === null;
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.#status.textContent = '';
      this.#more.hidden = true;
      this.#trouble.replaceChildren(
        problemBox(
          api.titleOf(error),
          error.message,
          button('Try again', () => this.reload()),
        ),
      );
    } finally {
      this.#more.disabled = false;
    }
  }

  #add(items) {
    for (const {key} of items) this.#list.append(h('li', {}, h('a', {href: this.#links(key), 'data-key': key}, key)));
    this.#count += items.length;
    this.#mark();
  }

  #mark() {
    for (const link of this.#list.querySelectorAll('a')) {
      if (link.dataset.key === this.#selected) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
  }

  // A record has been made, or has gone: no need to list everything again.
  added(key) {
    if (!key.startsWith(this.#place.prefix) || this.#link(key)) return;
    this.#list.prepend(h('li', {}, h('a', {href: this.#links(key), 'data-key': key}, key)));
    ++this.#count;
    this.#status.textContent = `${this.#count} ${this.#count === 1 ? 'key' : 'keys'}.`;
  }

  removed(key) {
    const link = this.#link(key);
    if (!link) return;
    link.closest('li').remove();
    --this.#count;
    this.#status.textContent = `${this.#count} ${this.#count === 1 ? 'key' : 'keys'}.`;
  }

  #link(key) {
    return [...this.#list.querySelectorAll('a')].find((link) => link.dataset.key === key);
  }
}
