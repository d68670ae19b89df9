// Calls of the sidecar's own API, /v2, on the same origin.

const TOKEN_ITEM = 'holdfast-token';
export const RECORD_TYPE = 'application/vnd.holdfast.record+json';

// Who listens: 'reached', 'unreachable', 'unauthorized'.
export const events = new EventTarget();

export const token = {
  get: () => sessionStorage.getItem(TOKEN_ITEM) ?? '',
  set: (value) => sessionStorage.setItem(TOKEN_ITEM, value),
  forget: () => sessionStorage.removeItem(TOKEN_ITEM),
};

export class Unreachable extends Error {}

// An answer that is no success. `problem` is the problem document, where there is one.
export class Refused extends Error {
  constructor(response, text) {
    let problem = {};
    try {
      if (response.headers.get('Content-Type')?.includes('json')) problem = JSON.parse(text);
    } catch {
      /* an answer of something in between, perhaps */
    }
    super(problem.detail ?? (text.trim() || `the sidecar answers ${response.status}`));
    this.status = response.status;
    this.problem = problem;
    this.etag = response.headers.get('ETag') ?? problem.etag ?? null;
  }

  get title() {
    if (this.status === 401) return 'The API token is missing or wrong';
    if (this.status === 403) return 'Not allowed';
    return this.problem.title ?? `The sidecar answers ${this.status}`;
  }
}

// The answer, whatever its status; Unreachable when there is none.
export async function send(path, {method = 'GET', headers = {}, body, signal} = {}) {
  const all = new Headers(headers);
  if (token.get() !== '') all.set('dapr-api-token', token.get());
  let response;
  try {
    response = await fetch(path, {method, headers: all, body, signal, cache: 'no-store', credentials: 'omit'});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    events.dispatchEvent(new Event('unreachable'));
    throw new Unreachable('the sidecar does not answer');
  }
  events.dispatchEvent(new Event('reached'));
  if (response.status === 401) events.dispatchEvent(new Event('unauthorized'));
  return response;
}

// The answer if it is a success or one of `also`.
export async function call(path, options = {}, also = []) {
  const response = await send(path, options);
  if (response.ok || also.includes(response.status)) return response;
  throw new Refused(response, await response.text());
}

export const json = async (path, also) => (await call(path, {}, also)).json();

const isolated = (isolation, headers = {}) => (isolation ? {...headers, 'Holdfast-Isolation': isolation} : headers);

// The key goes as one segment: escaped slashes are slashes to the sidecar, and no "..", escaped or not, is taken away
// by the browser, unless it is the whole key.
function recordPath(place) {
  if (place.key === '.' || place.key === '..') throw new Error(`a browser cannot ask for the key "${place.key}"`);
  return `/v2/state/${encodeURIComponent(place.store)}/${encodeURIComponent(place.key)}`;
}

// What a person and a problem box can read, of anything that was thrown.
export const titleOf = (error) => error.title ?? (error instanceof Unreachable ? 'Not reached' : 'This did not work');

export const stores = async () => (await json('/v2/stores')).stores;
export const health = async () => (await json('/v2/health', [503])).stores;
export const stats = () => json('/v2/stats');

export function keys({store, prefix, isolation}, cursor, signal) {
  const query = new URLSearchParams({prefix, limit: '50'});
  if (cursor) query.set('cursor', cursor);
  return call(`/v2/state/${encodeURIComponent(store)}?${query}`, {headers: isolated(isolation), signal}).then(
    (response) => response.json(),
  );
}

// The first bytes of a body, and whether they are all of it.
async function readSome(response, bytesMax) {
  const reader = response.body?.getReader();
  const chunks = [];
  let size = 0;
  while (reader) {
    const {done, value} = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
    if (size > bytesMax) {
      await reader.cancel();
      break;
    }
  }
  const bytes = new Uint8Array(Math.min(size, bytesMax));
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, bytes.length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return {bytes, complete: size <= bytesMax};
}

function tagsIn(headers) {
  const tags = {};
  for (const [name, value] of headers)
    if (name.startsWith('holdfast-tag-')) tags[decodeURIComponent(name.slice('holdfast-tag-'.length))] = value;
  return tags;
}

// What the headers tell of a record that is too large to be asked for as a whole.
function fieldsIn(headers, key) {
  return {
    id: null,
    partitionKey: null,
    key,
    created: headers.get('Holdfast-Created'),
    createdBy: headers.get('Holdfast-Created-By'),
    modified: headers.get('Holdfast-Modified'),
    modifiedBy: headers.get('Holdfast-Modified-By'),
    tags: tagsIn(headers),
    expires: headers.get('Holdfast-Expires'),
    ttl: null,
    etag: headers.get('ETag') ?? '',
    contentType: headers.get('Content-Type') ?? '',
  };
}

// A record's fields, and its value as the bytes that are stored: the whole record as JSON would have other ones, as
// JSON can be written in many ways. Two questions, the second for the version that the first has found; `complete` is
// false where the value has more than bytesMax.
export async function record(place, bytesMax, signal) {
  for (let attempt = 1; ; ++attempt) {
    const headers = isolated(place.isolation, {Accept: '*/*'});
    const response = await call(recordPath(place), {headers, signal});
    const {bytes, complete} = await readSome(response, bytesMax);
    const size = Number(response.headers.get('Content-Length') ?? bytes.length);
    const found = {bytes, complete, size, readAt: performance.now()};
    if (!complete) return {...found, fields: fieldsIn(response.headers, place.key), isJson: false};
    const etag = response.headers.get('ETag');
    const more = isolated(place.isolation, {Accept: RECORD_TYPE, ...(etag ? {'If-Match': etag} : {})});
    try {
      const fields = await (await call(recordPath(place), {headers: more, signal})).json();
      return {...found, fields, isJson: fields.valueBase64 === undefined};
    } catch (error) {
      if (error.status !== 412 || attempt === 5) throw error;
    }
  }
}

// `condition` is a header: {'If-Match': etag} or {'If-None-Match': '*'}. Answers the new etag.
export async function put(place, condition, {body, contentType, asBytes, ttl, tags, indexes}) {
  const query = new URLSearchParams();
  if (ttl) query.set('ttl', ttl);
  for (const [name, value] of Object.entries(tags)) query.append(`tag.${name}`, value);
  for (const [name, value] of Object.entries(indexes)) query.append(`index.${name}`, value);
  const headers = isolated(place.isolation, {...condition, 'Content-Type': contentType});
  if (asBytes) headers['Holdfast-Shape'] = 'bytes';
  const path = query.size > 0 ? `${recordPath(place)}?${query}` : recordPath(place);
  return (await call(path, {method: 'PUT', headers, body})).headers.get('ETag');
}

export async function erase(place, etag) {
  const headers = isolated(place.isolation, {'If-Match': etag || '*'});
  await call(recordPath(place), {method: 'DELETE', headers});
}
