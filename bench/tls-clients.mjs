// Clients of bench:tls: a process that connects again and again, as fast as its core allows.
// usage: node bench/tls-clients.mjs '{"port":8883,"caFile":"ca.pem","mode":"full|resumed|tcp","count":1000,"atOnce":16}'
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { fileURLToPath } from 'node:url';
import { connect as connectTls } from 'node:tls';

/** MQTT 3.1.1, clean session, the broker chooses the client id. */
const CONNECT = Buffer.from('100c00044d515454040200000000', 'hex');
const PINGREQ = Buffer.from('c000', 'hex');
const DEADLINE_MS = 60_000;

/** Opens a connection up to its CONNACK. @returns the socket, whether its session was resumed, and the ticket it was given. */
export function openClient({ port, ca, session, isPlain = false }) {
  const where = { port, host: '127.0.0.1', noDelay: true };
  const socket = isPlain
    ? connectTcp(where)
    : connectTls({ ...where, ca, servername: 'localhost', session });
  return new Promise((resolve, reject) => {
    let ticket;
    const fail = (error) => reject(error ?? new Error('the broker has closed a connection'));
    socket.on('session', (data) => (ticket = data));
    socket.once('error', fail);
    socket.once('close', () => fail());
    socket.once(isPlain ? 'connect' : 'secureConnect', () => socket.write(CONNECT));
    socket.once('data', () => {
      resolve({ socket, isResumed: !isPlain && socket.isSessionReused(), ticket });
    });
  });
}

/** Whether the broker answers a PINGREQ on an open connection. */
export function pings(socket) {
  if (socket.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), DEADLINE_MS);
    const answer = (isAnswered) => {
      clearTimeout(late);
      resolve(isAnswered);
    };
    socket.once('data', () => answer(true));
    socket.once('close', () => answer(false));
    socket.write(PINGREQ);
  });
}

async function load({ port, caFile, mode, count, atOnce }) {
  const ca = readFileSync(caFile);
  const client = { port, ca, isPlain: mode === 'tcp' };
  if (mode === 'resumed') {
    const first = await openClient(client);
    client.session = first.ticket;
    first.socket.destroy();
  }
  let left = count;
  let resumed = 0;
  const again = async () => {
    while (left > 0) {
      left -= 1;
      const { socket, isResumed } = await openClient(client);
      if (isResumed) resumed += 1;
      socket.destroy();
    }
  };
  const beganAtMs = performance.now();
  await Promise.all(Array.from({ length: atOnce }, again));
  return { connects: count, resumed, seconds: (performance.now() - beganAtMs) / 1_000 };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await load(JSON.parse(process.argv[2]))));
}
