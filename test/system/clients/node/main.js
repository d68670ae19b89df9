// The scenarios of ../README.md with Dapr's JavaScript SDK: node main.js http|grpc STORE
//
// Over HTTP the SDK answers a refused save or delete with { error }, over gRPC it throws; `refusal` takes both. It never
// shows the etag of a single get: getBulk does.
"use strict";

const assert = require("node:assert/strict");
const { CommunicationProtocolEnum, DaprClient, LogLevel, StateConcurrencyEnum, StateConsistencyEnum } = require("@dapr/dapr");

const [protocol, store] = process.argv.slice(2);
const overGrpc = protocol === "grpc";
// No option names the sidecar: it is found by the SDK's environment variables. The token is one of them.
const client = new DaprClient({
  communicationProtocol: overGrpc ? CommunicationProtocolEnum.GRPC : CommunicationProtocolEnum.HTTP,
  logger: { level: LogLevel.Error },
});

const FIRST_WRITE = {
  concurrency: StateConcurrencyEnum.CONCURRENCY_FIRST_WRITE,
  consistency: StateConsistencyEnum.CONSISTENCY_STRONG,
};

async function refusal(call) {
  let result;
  try {
    result = await call();
  } catch (error) {
    return error;
  }
  assert.ok(result && result.error, "the sidecar should have refused this");
  return result.error;
}

/** Over HTTP the status is in the JSON of the message; a gRPC error has a code and a text. */
function assertRefused(error, { status, code, text }) {
  if (overGrpc) {
    assert.equal(error.code, code, `gRPC code: ${error.message}`);
    assert.match(error.message, text);
    return;
  }
  const told = JSON.parse(error.message);
  assert.equal(told.status, status, `HTTP status: ${error.message}`);
  assert.match(told.error_msg, text);
}

// As in google.rpc.Code.
const ABORTED = 10;
const INTERNAL = 13;
const INVALID_ARGUMENT = 3;
const MISMATCH = /possible etag mismatch/;

async function save(...items) {
  assert.deepEqual(await client.state.save(store, items), {});
}

async function etagOf(key) {
  const [item] = await client.state.getBulk(store, [key]);
  assert.ok(item.etag, `${key} should have an etag`);
  return item.etag;
}

async function saveAndGet() {
  await save({ key: "greeting", value: "hello" });
  assert.equal(await client.state.get(store, "greeting"), "hello");
  const value = { items: [{ name: "ink", price: 2.5 }], paid: false, customer: "Zoë" };
  await save({ key: "greeting", value });
  assert.deepEqual(await client.state.get(store, "greeting"), value);
}

async function missingKey() {
  assert.equal(await client.state.get(store, "nothing-here"), "");
}

async function bulk() {
  const keys = Array.from({ length: 10 }, (_, i) => `bulk-${i}`);
  await save(...keys.map((key, i) => ({ key, value: { number: i } })));
  const items = await client.state.getBulk(store, [...keys, "bulk-missing"], { parallelism: 4 });
  assert.deepEqual(items.map((item) => item.key), [...keys, "bulk-missing"]);
  assert.deepEqual(items.slice(0, 10).map((item) => item.data), keys.map((_, i) => ({ number: i })));
  assert.ok(items.slice(0, 10).every((item) => item.etag));
  assert.ok(!items[10].data && !items[10].etag);
}

async function transaction() {
  await save({ key: "cart", value: "full" });
  await client.state.transaction(store, [
    { operation: "upsert", request: { key: "order", value: "placed" } },
    { operation: "delete", request: { key: "cart" } },
  ]);
  assert.equal(await client.state.get(store, "order"), "placed");
  assert.equal(await client.state.get(store, "cart"), "");
}

async function transactionRefused() {
  await save({ key: "from", value: "100" }, { key: "to", value: "0" });
  const error = await refusal(() =>
    client.state.transaction(store, [
      { operation: "upsert", request: { key: "from", value: "0" } },
      { operation: "upsert", request: { key: "to", value: "100", etag: "7" } },
    ]),
  );
  assertRefused(error, { status: 500, code: INTERNAL, text: MISMATCH });
  // Over gRPC the SDK cannot tell the text "100" from the number.
  assert.equal(String(await client.state.get(store, "from")), "100");
  assert.equal(String(await client.state.get(store, "to")), "0");
}

async function deleteWithEtag() {
  await save({ key: "doomed", value: "still here" });
  const etag = await etagOf("doomed");
  const error = await refusal(() => client.state.delete(store, "doomed", { ...FIRST_WRITE, etag: "bad" }));
  assertRefused(error, { status: 409, code: ABORTED, text: MISMATCH });
  assert.equal(await client.state.get(store, "doomed"), "still here");
  assert.deepEqual(await client.state.delete(store, "doomed", { ...FIRST_WRITE, etag }), {});
  assert.equal(await client.state.get(store, "doomed"), "");
}

async function firstWrite() {
  await save({ key: "counter", value: "one" });
  const etag = await etagOf("counter");
  await save({ key: "counter", value: "two", etag, options: FIRST_WRITE });
  const late = await refusal(() => client.state.save(store, [{ key: "counter", value: "three", etag, options: FIRST_WRITE }]));
  assertRefused(late, { status: 409, code: ABORTED, text: MISMATCH });
  const creator = await refusal(() => client.state.save(store, [{ key: "counter", value: "new", options: FIRST_WRITE }]));
  assertRefused(creator, { status: 409, code: ABORTED, text: MISMATCH });
  assert.equal(await client.state.get(store, "counter"), "two");
}

/** HTTP shows the expiry in the items of a bulk get. The gRPC client shows none, so the record is watched until it goes. */
async function ttl() {
  await save({ key: "session", value: "short", metadata: { ttlInSeconds: overGrpc ? "1" : "100" } });
  if (overGrpc) {
    const end = Date.now() + 15_000;
    while ((await client.state.get(store, "session")) !== "") {
      assert.ok(Date.now() < end, "the record should have expired");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return;
  }
  const [item] = await client.state.getBulk(store, ["session"]);
  const left = Date.parse(item.metadata.ttlExpireTime) - Date.now();
  assert.ok(left > 90_000 && left <= 101_000, `expires in ${left} ms`);
}

async function metadata() {
  assert.equal(await client.metadata.set("client", "node"), true);
  const told = await client.metadata.get();
  assert.equal(told.id, "test");
  assert.equal(told.extended.client, "node");
  const found = told.components.find((component) => component.name === store);
  assert.ok(found.capabilities.includes("ETAG") && found.capabilities.includes("TRANSACTIONAL"));
}

async function secrets() {
  assert.deepEqual({ ...(await client.secret.get("vault", "api-key")) }, { "api-key": "k-123" });
  const all = await client.secret.getBulk("vault");
  const plain = Object.fromEntries(Object.entries(all).map(([name, values]) => [name, { ...values }]));
  assert.deepEqual(plain, {
    "api-key": { "api-key": "k-123" },
    "database:password": { "database:password": "p&ss" },
  });
}

async function unknownStore() {
  const error = await refusal(() => client.state.get("nope", "key"));
  assertRefused(error, { status: 400, code: INVALID_ARGUMENT, text: /state store nope is not found/ });
}

async function shutdown() {
  await client.sidecar.shutdown();
}

const scenarios = {
  save_and_get: saveAndGet,
  missing_key: missingKey,
  bulk,
  transaction,
  transaction_refused: transactionRefused,
  delete_with_etag: deleteWithEtag,
  first_write: firstWrite,
  ttl,
  metadata,
  secrets,
  unknown_store: unknownStore,
  shutdown,
};

async function main() {
  for (const [scenario, run] of Object.entries(scenarios)) {
    try {
      await run();
    } catch (error) {
      console.log(JSON.stringify({ scenario, ok: false, error: String(error.stack ?? error) }));
      return 1;
    }
    console.log(JSON.stringify({ scenario, ok: true }));
  }
  return 0;
}

main().then((code) => process.exit(code));
