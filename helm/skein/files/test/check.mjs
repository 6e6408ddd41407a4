// What `helm test` runs, in the image of a node: a message through every listener and from node to node, and the admin API.
// Its plan is JSON in CHECK_PLAN; LOGIN_DIR holds `username` and `password` where clients need a login.
import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

const DEADLINE_MS = 15_000;
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SUBACK = 9;

const plan = JSON.parse(process.env.CHECK_PLAN);
const login = readLogin(process.env.LOGIN_DIR);
const WebSocket = createRequire(join(process.cwd(), 'package.json'))('ws');

function readLogin(directory) {
  if (!directory) return undefined;
  const read = (name) => readFileSync(join(directory, name), 'utf8').trimEnd();
  return { username: read('username'), password: read('password') };
}

const text = (value) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};

function packet(head, ...parts) {
  const body = Buffer.concat(parts);
  const size = [];
  let rest = body.length;
  do {
    size.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([head, ...size]), body]);
}

/** A byte stream over whatever the listener speaks: `{write, end}`, and `take` is given what comes. */
async function open({ type, host, port, path, serverName }, take, fail) {
  const isTls = type === 'tls' || type === 'wss';
  if (type === 'ws' || type === 'wss') {
    const options = serverName ? { servername: serverName } : {};
    const socket = new WebSocket(`${type}://${host}:${port}${path}`, ['mqtt'], options);
    socket.on('message', (bytes) => take(bytes));
    socket.on('close', () => fail(new Error('the connection was closed')));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return { write: (bytes) => socket.send(bytes), end: () => socket.close() };
  }
  const socket = isTls
    ? connectTls({ host, port, servername: serverName || host })
    : connectTcp({ host, port });
  socket.on('data', take);
  socket.on('close', () => fail(new Error('the connection was closed')));
  await new Promise((resolve, reject) =>
    socket.once(isTls ? 'secureConnect' : 'connect', resolve).once('error', reject),
  );
  return { write: (bytes) => socket.write(bytes), end: () => socket.end() };
}

/** A client that waits for one packet at a time. */
async function client(target, version) {
  const got = [];
  const waiting = [];
  let bytes = Buffer.alloc(0);
  const take = (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let one = first(bytes); one !== undefined; one = first(bytes)) {
      bytes = bytes.subarray(one.size);
      const isWaited = waiting.findIndex(({ kind }) => kind === one.kind);
      if (isWaited === -1) got.push(one);
      else waiting.splice(isWaited, 1)[0].resolve(one);
    }
  };
  const fail = (error) => {
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  const stream = await open(target, take, fail);
  const next = (kind) => {
    const at = got.findIndex((one) => one.kind === kind);
    if (at !== -1) return Promise.resolve(got.splice(at, 1)[0]);
    return new Promise((resolve, reject) => waiting.push({ kind, resolve, reject }));
  };
  const properties = Buffer.alloc(version === 5 ? 1 : 0);
  const flags = 2 | (login === undefined ? 0 : 0xc0);
  const credentials = login === undefined ? [] : [text(login.username), text(login.password)];
  const head = [text('MQTT'), Buffer.from([version, flags, 0, 60]), properties];
  const id = `${plan.clientIdPrefix}${randomUUID()}`;
  stream.write(packet(0x10, ...head, text(id), ...credentials));
  const connack = await next(CONNACK);
  if (connack.body[1] !== 0) throw new Error(`CONNACK 0x${connack.body[1].toString(16)}`);
  return { stream, next, properties };
}

/** The first packet of some bytes, when all of it is there. */
function first(bytes) {
  let length = 0;
  for (let at = 1; at < Math.min(bytes.length, 5); at += 1) {
    length += (bytes[at] & 127) * 128 ** (at - 1);
    if (bytes[at] > 127) continue;
    const size = at + 1 + length;
    if (bytes.length < size) return undefined;
    return { kind: bytes[0] >> 4, body: bytes.subarray(at + 1, size), size };
  }
  return undefined;
}

/** Subscribes at one place, publishes at another, and wants the message. */
async function pass({ from, to, version }) {
  const topic = `skein-test/${randomUUID()}`;
  const payload = randomUUID();
  const receiver = await client(to, version);
  receiver.stream.write(
    packet(0x82, Buffer.from([0, 1]), receiver.properties, text(topic), Buffer.from([1])),
  );
  const suback = await receiver.next(SUBACK);
  if (suback.body.at(-1) > 2) throw new Error(`SUBACK 0x${suback.body.at(-1).toString(16)}`);
  const sender = await client(from, version);
  const message = [text(topic), Buffer.from([0, 1]), sender.properties, Buffer.from(payload)];
  sender.stream.write(packet(0x32, ...message));
  const puback = await sender.next(PUBACK);
  if ((puback.body[2] ?? 0) > 0x10) throw new Error(`PUBACK 0x${puback.body[2].toString(16)}`);
  const { body } = await receiver.next(PUBLISH);
  if (!body.toString('latin1').endsWith(payload)) throw new Error('another payload came');
  for (const { stream } of [sender, receiver]) stream.end();
}

async function answers(url) {
  const { status } = await fetch(url, { signal: AbortSignal.timeout(DEADLINE_MS) });
  if (status !== 200) throw new Error(`answered ${status}`);
}

let failures = 0;
async function check(name, run) {
  const begin = performance.now();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    await Promise.race([run(), late]);
    console.log(`ok      ${name} (${Math.round(performance.now() - begin)} ms)`);
  } catch (error) {
    failures += 1;
    console.log(`failed  ${name}: ${error.message}`);
  } finally {
    clearTimeout(timer);
  }
}

for (const { skip, ...target } of plan.listeners) {
  if (skip) {
    console.log(`left    ${target.name}: ${skip}`);
    continue;
  }
  for (const version of [4, 5]) {
    const name = `${target.name} (${target.type}), MQTT ${version === 4 ? '3.1.1' : '5'}`;
    await check(name, () => pass({ from: target, to: target, version }));
  }
}
const direct = plan.listeners.find(({ skip, type }) => !skip && type === 'tcp');
const nodes = plan.nodes ?? (direct && (await addressesOf(plan.headless)));
if (direct && nodes.length > 1) {
  const [one, other] = nodes.map((node) => ({ ...direct, ...node }));
  await check('from node to node', () => pass({ from: one, to: other, version: 5 }));
} else {
  console.log('left    from node to node: one node, or no listener of plain TCP');
}
for (const url of plan.urls) await check(url, () => answers(url));
process.exit(failures === 0 ? 0 : 1);

async function addressesOf(host) {
  const all = await lookup(host, { all: true }).catch(() => []);
  return all.map(({ address }) => ({ host: address }));
}
