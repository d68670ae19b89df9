// One record: shown, edited, made, deleted. Nothing is written but under the etag that was shown, or where there is none.
import * as api from './api.js';
import {button, bytesText, confirmed, h, notice, problemBox} from './dom.js';
import {compact, indented, isJsonType, jsonError, pretty} from './json.js';

const VALUE_BYTES_MAX = 256 * 1024; // of a value that is shown whole and can be edited
const COLOURED_MAX = 64 * 1024; // characters of JSON
const HEX_BYTES_MAX = 2048;

function utf8(bytes) {
  try {
    const text = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
    // eslint-disable-next-line no-control-regex
    return /[\u0000-\u0008\u000e-\u001f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${digits.padEnd(47)}  ${letters}`);
  }
  return lines.join('\n');
}

// How a value is shown: {kind: 'json' | 'text' | 'bytes', text}. A value that was cut is neither parsed nor edited.
function view({bytes, complete, isJson}) {
  const text = utf8(complete ? bytes : bytes.subarray(0, lastWhole(bytes)));
  if (text === null) return {kind: 'bytes', text: hex(bytes.subarray(0, HEX_BYTES_MAX))};
  if (complete && isJson && jsonError(text) === null) return {kind: 'json', text: pretty(text), stored: text};
  // A text field of a browser knows one kind of line end.
  const lineEnd = text.includes('\r') ? '\r\n' : '\n';
  return {kind: 'text', text, stored: text, lineEnd, mixed: lineEnd !== '\n' && /\r(?!\n)|(^|[^\r])\n/.test(text)};
}

// The bytes up to the last character that is whole.
function lastWhole(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 4 && (bytes[end - 1] & 0xc0) === 0x80) --end;
  if (end > 0 && bytes[end - 1] >= 0xc0) --end;
  return end;
}

function coloured(text) {
  const element = h('code');
  if (text.length > COLOURED_MAX) element.append(text);
  else
    for (const piece of indented(text))
      element.append(
        piece.kind === 'blank' || piece.kind === 'punctuation'
          ? piece.text
          : h('span', {class: piece.kind}, piece.text),
      );
  return element;
}

const timeText = (time) =>
  time
    ? time
        .replace('T', ' ')
        .replace(/(\.\d{3})\d*/, '$1')
        .replace('+00:00', ' UTC')
    : null;

// A list of names and values that can be changed.
class Pairs {
  #rows = h('div', {class: 'pairs'});
  constructor(label, one, pairs, onchange) {
    this.element = h(
      'fieldset',
      {},
      h('legend', {}, label),
      this.#rows,
      button(
        `Add ${one}`,
        () => {
          this.#add(one, '', '').focus();
          onchange();
        },
        'quiet small',
      ),
    );
    for (const [name, value] of Object.entries(pairs)) this.#add(one, name, value);
    this.element.addEventListener('input', onchange);
    this.#changed = onchange;
  }
  #changed;
  #add(one, name, value) {
    const nameField = h('input', {type: 'text', 'aria-label': `Name of the ${one}`, placeholder: 'name'});
    const valueField = h('input', {type: 'text', 'aria-label': `Value of the ${one}`, placeholder: 'value'});
    nameField.value = name;
    valueField.value = value;
    const row = h(
      'div',
      {class: 'pair'},
      nameField,
      valueField,
      button(
        'Remove',
        () => {
          row.remove();
          this.#changed();
        },
        'quiet small',
      ),
    );
    this.#rows.append(row);
    return nameField;
  }
  get() {
    const out = {};
    for (const row of this.#rows.children) {
      const [name, value] = row.querySelectorAll('input');
      if (name.value !== '') out[name.value] = value.value;
    }
    return out;
  }
}

export class RecordPane {
  #place = null;
  #record = null;
  #dirty = false;
  #loading = null;
  #hooks;
  element = h('section', {class: 'pane record-pane', 'aria-label': 'Record'});

  // `saved(place)` after a record was made, `deleted(place)`, `leave()` when there is nothing more to show.
  constructor(hooks) {
    this.#hooks = hooks;
  }

  get dirty() {
    return this.#dirty;
  }
  forgetEdit() {
    this.#dirty = false;
  }

  clear(...content) {
    this.#loading?.abort();
    this.#place = this.#record = null;
    this.#dirty = false;
    this.element.replaceChildren(...content);
  }

  async show(place) {
    this.clear(h('p', {class: 'hint'}, 'Reading…'));
    this.#place = place;
    const loading = (this.#loading = new AbortController());
    try {
      const record = await api.record(place, VALUE_BYTES_MAX, loading.signal);
      if (loading.signal.aborted) return;
      this.#record = record;
      this.#render();
    } catch (error) {
      if (error.name === 'AbortError') return;
      const actions = [button('Try again', () => this.show(place))];
      if (error.status === 404) actions.push(button('Create it', () => this.create(place), 'primary'));
      this.element.replaceChildren(this.#heading(place.key), problemBox(api.titleOf(error), error.message, ...actions));
    }
  }

  #heading(key) {
    return h('h2', {class: 'key', tabindex: '-1'}, key);
  }

  #fields() {
    const {fields, size} = this.#record;
    const rows = [
      ['Store', this.#place.store],
      ['Id', fields.id],
      ['Partition key', fields.partitionKey],
      ['Isolation key', fields.isolationKey],
      ['ETag', fields.etag],
      ['Content type', fields.contentType],
      ['Size', `${bytesText(size)}${size >= 1024 ? ` (${size.toLocaleString('en')} bytes)` : ''}`],
      ['Created', timeText(fields.created)],
      ['Created by', fields.createdBy],
      ['Modified', timeText(fields.modified)],
      ['Modified by', fields.modifiedBy],
      [
        'Time to live',
        fields.expires
          ? `until ${timeText(fields.expires)}${fields.ttl >= 0 && fields.ttl !== null ? ` (${fields.ttl} s left when read)` : ''}`
          : 'no end',
      ],
    ];
    const list = h('dl', {class: 'fields'});
    for (const [name, value] of rows)
      if (value !== null && value !== undefined && value !== '')
        list.append(h('div', {}, h('dt', {}, name), h('dd', {'data-field': name}, value)));
    for (const [name, pairs] of [
      ['Tags', fields.tags],
      ['Index entries', fields.indexes],
    ]) {
      if (!pairs || Object.keys(pairs).length === 0) continue;
      list.append(
        h(
          'div',
          {},
          h('dt', {}, name),
          h(
            'dd',
            {'data-field': name},
            ...Object.entries(pairs).map(([tag, value]) => h('span', {class: 'tag'}, `${tag}: ${value}`)),
          ),
        ),
      );
    }
    return list;
  }

  #render(message) {
    const shown = view(this.#record);
    const {complete, size, bytes} = this.#record;
    const notes = [];
    if (!complete)
      notes.push(
        `This is the beginning only: ${bytesText(shown.kind === 'bytes' ? Math.min(bytes.length, HEX_BYTES_MAX) : bytes.length)} of ${bytesText(size)}. A value of more than ${bytesText(VALUE_BYTES_MAX)} cannot be edited here.`,
      );
    else if (shown.kind === 'bytes')
      notes.push(
        `These bytes are no text, and cannot be edited here.${size > HEX_BYTES_MAX ? ` The first ${bytesText(HEX_BYTES_MAX)} of ${bytesText(size)} are shown.` : ''}`,
      );
    else if (shown.mixed) notes.push('Its lines end in different ways, which editing it here would not keep.');
    else if (size === 0) notes.push('The value is empty.');
    const editable = complete && shown.kind !== 'bytes' && !shown.mixed;
    this.element.replaceChildren(
      h(
        'div',
        {class: 'record-head'},
        this.#heading(this.#place.key),
        h(
          'div',
          {class: 'actions'},
          editable && button('Edit', () => this.#edit(shown), 'primary'),
          button('Reload', () => this.show(this.#place), 'quiet'),
          button('Delete', () => this.#delete(), 'quiet danger-text'),
        ),
      ),
      message ?? '',
      this.#fields(),
      h('h3', {}, 'Value', h('span', {class: 'badge'}, {json: 'JSON', text: 'text', bytes: 'bytes'}[shown.kind])),
      ...notes.map((text) => h('p', {class: 'hint', 'data-note': 'value'}, text)),
      h(
        'pre',
        {class: 'value', tabindex: '0', 'aria-label': 'Value'},
        shown.kind === 'json' ? coloured(shown.text) : h('code', {}, shown.text),
      ),
    );
  }

  #form({title, key, value, contentType, tags, indexes, expires, save, submit, cancel}) {
    const changed = () => {
      this.#dirty = true;
    };
    const keyField =
      key === null
        ? null
        : h('input', {
            id: 'new-key',
            type: 'text',
            required: true,
            autocomplete: 'off',
            autocapitalize: 'off',
            spellcheck: 'false',
          });
    if (keyField) keyField.value = key;
    const valueField = h('textarea', {
      id: 'value',
      rows: '14',
      spellcheck: 'false',
      autocapitalize: 'off',
      autocomplete: 'off',
    });
    valueField.value = value;
    const typeField = h('input', {
      id: 'content-type',
      type: 'text',
      list: 'content-types',
      spellcheck: 'false',
      autocomplete: 'off',
    });
    typeField.value = contentType;
    const ttlKind = h(
      'select',
      {id: 'ttl-kind'},
      expires && h('option', {value: 'keep'}, `as it is: until ${timeText(expires).replace(/\.\d+/, '')}`),
      h('option', {value: 'none'}, 'no end'),
      h('option', {value: 'set'}, 'ends after…'),
    );
    const ttlField = h('input', {
      id: 'ttl',
      type: 'text',
      'aria-label': 'Ends after',
      placeholder: '3600, 30s, 1h30m',
      hidden: true,
    });
    ttlKind.addEventListener('change', () => {
      ttlField.hidden = ttlKind.value !== 'set';
      if (!ttlField.hidden) ttlField.focus();
    });
    const tagFields = new Pairs('Tags', 'tag', tags, changed);
    const indexFields = new Pairs('Index entries', 'index entry', indexes, changed);
    const trouble = h('div');
    const saveButton = h('button', {type: 'submit', class: 'primary'}, submit);
    const form = h(
      'form',
      {
        class: 'edit',
        oninput: changed,
        onsubmit: async (event) => {
          event.preventDefault();
          trouble.replaceChildren();
          const isJson = isJsonType(typeField.value);
          const wrong = isJson ? jsonError(valueField.value) : null;
          if (wrong !== null) {
            trouble.replaceChildren(problemBox('The value is not JSON', wrong));
            return;
          }
          if (ttlKind.value === 'set' && ttlField.value.trim() === '') {
            trouble.replaceChildren(
              problemBox('The time to live is missing', 'Say whole seconds, or a duration such as 1h30m.'),
            );
            return;
          }
          saveButton.disabled = true;
          try {
            await save({
              key: keyField?.value,
              value: valueField.value,
              isJson,
              contentType: typeField.value.trim(),
              ttlKind: ttlKind.value,
              ttl: ttlField.value.trim(),
              tags: tagFields.get(),
              indexes: indexFields.get(),
            });
          } catch (error) {
            trouble.replaceChildren(this.#refusal(error));
          } finally {
            saveButton.disabled = false;
          }
        },
      },
      h('h2', {class: 'key', tabindex: '-1'}, title),
      keyField && h('label', {for: 'new-key'}, 'Key'),
      keyField,
      h('label', {for: 'value'}, 'Value'),
      valueField,
      h(
        'div',
        {class: 'columns'},
        h('div', {}, h('label', {for: 'content-type'}, 'Content type'), typeField),
        h('div', {}, h('label', {for: 'ttl-kind'}, 'Time to live'), ttlKind, ttlField),
      ),
      h(
        'datalist',
        {id: 'content-types'},
        ...['application/json', 'text/plain; charset=utf-8', 'application/octet-stream'].map((type) =>
          h('option', {value: type}),
        ),
      ),
      tagFields.element,
      indexFields.element,
      trouble,
      h('div', {class: 'actions'}, saveButton, button('Cancel', cancel, 'quiet')),
    );
    this.element.replaceChildren(form);
    (keyField ?? valueField).focus();
  }

  #edit(shown) {
    const {fields, isJson, readAt} = this.#record;
    const place = this.#place;
    this.#form({
      title: place.key,
      key: null,
      value: shown.text,
      contentType: fields.contentType,
      tags: fields.tags ?? {},
      indexes: fields.indexes ?? {},
      expires: fields.expires,
      submit: 'Save',
      cancel: () => {
        this.#dirty = false;
        this.#render();
      },
      save: async (form) => {
        // The blanks of the view are not the record's: they go again, unless it was written with them.
        const addedBlanks = shown.kind === 'json' && shown.stored !== shown.text;
        const body =
          form.isJson && addedBlanks ? compact(form.value) : form.value.replaceAll('\n', shown.lineEnd ?? '\n');
        const left = Math.max(1, Math.round(fields.ttl * 1000 - (performance.now() - readAt)));
        const ttl = {keep: `${left}ms`, none: '', set: form.ttl}[form.ttlKind];
        await api.put(
          place,
          {'If-Match': fields.etag || '*'},
          {
            ...form,
            body,
            ttl,
            asBytes: form.isJson && shown.kind !== 'json' && !isJson && isJsonType(fields.contentType),
          },
        );
        this.#dirty = false;
        notice(`Saved ${place.key}.`);
        await this.show(place);
        this.element.querySelector('.key')?.focus();
      },
    });
  }

  // What went wrong with a write. Where the record has changed meanwhile, nothing was written, and nothing will be but
  // on top of what is read again.
  #refusal(error) {
    if (error.status !== 412) return problemBox(api.titleOf(error), error.message);
    const mine = this.#record?.fields.etag;
    const text = error.etag
      ? `Its etag is ${error.etag} now, and ${mine} is what you saw. Nothing was written.`
      : `There is no such record any more. Nothing was written.`;
    return problemBox(
      'The record has changed meanwhile',
      text,
      button('Reload the present record', () => this.show(this.#place), 'primary'),
    );
  }

  async #delete() {
    const {etag} = this.#record.fields;
    const place = this.#place;
    const yes = await confirmed({
      title: 'Delete this record?',
      text: `${place.key} of ${place.store}, if it still has the etag ${etag}. There is no way back.`,
      yes: 'Delete',
    });
    if (!yes) return;
    try {
      await api.erase(place, etag);
    } catch (error) {
      this.#render(this.#refusal(error));
      return;
    }
    notice(`Deleted ${place.key}.`);
    this.#hooks.deleted(place);
  }

  create({store, key = '', prefix = '', isolation}) {
    this.clear();
    this.#form({
      title: 'New record',
      key: key || prefix,
      value: '{}',
      contentType: 'application/json',
      tags: {},
      indexes: {},
      expires: null,
      submit: 'Create',
      cancel: () => {
        this.#dirty = false;
        this.#hooks.leave();
      },
      save: async (form) => {
        const place = {store, key: form.key, isolation};
        try {
          await api.put(
            place,
            {'If-None-Match': '*'},
            {...form, body: form.value, ttl: form.ttlKind === 'set' ? form.ttl : '', asBytes: false},
          );
        } catch (error) {
          if (error.status !== 412) throw error;
          throw Object.assign(new Error('There is a record with this key already. Nothing was written.'), {
            title: 'The key is taken',
          });
        }
        this.#dirty = false;
        notice(`Created ${place.key}.`);
        this.#hooks.saved(place);
      },
    });
  }
}
