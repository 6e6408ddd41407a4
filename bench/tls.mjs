// What TLS costs a node when clients connect, and what it does not cost them; see --help.
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, until } from '../tools/ports.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { median, short } from './report.mjs';
import { startSkein } from './servers.mjs';
import { openClient, pings } from './tls-clients.mjs';
import '../tools/without-jest.mjs';

const { TestAuthority } = await import('#libs/testkit');

const NAMES = ['connects', 'resumption', 'renewal'];

const HELP = `usage: npm run bench:tls -- [options]

Measures TLS 1.3 with ECDSA P-256, each connection up to its CONNACK:
  connects      CPU time of a node for each connection, plain, with a full handshake and with a resumed one, and how many a
                core takes in a second; the clients have another core
  resumption    the share of tickets of one node that shorten the handshake at two others, with one secret and with others
  renewal       connections that are lost when the certificate is replaced beneath them

  --case LIST       ${NAMES.join(', ')} (default: all)
  --connects N      connections of a round (default 3000)
  --open N          connections that are open when the certificate changes (default 2000)
${COMMON_HELP}`;

const OPTIONS = {
  case: { type: 'string' },
  connects: { type: 'string', default: '3000' },
  open: { type: 'string', default: '2000' },
};
const MODES = ['tcp', 'full', 'resumed'];
const AT_ONCE = 16;
const TICKETS = 200;
const TICKS_PER_SECOND = 100;
const CLIENTS = fileURLToPath(new URL('tls-clients.mjs', import.meta.url));

function settingsOf(values) {
  const cases = values.case?.split(',') ?? NAMES;
  if (!cases.every((name) => NAMES.includes(name))) {
    throw new UsageError(`--case: one of ${NAMES.join(', ')}`);
  }
  const connects = wholeNumber('connects', values.connects, 1);
  return { cases, connects, open: wholeNumber('open', values.open, 1) };
}

/** A node with a TLS listener besides. */
async function startNode({ settings, tools }, { certificate, secretFile }) {
  const tls = await freePort();
  const server = await startSkein(tools.group, {
    core: settings.cores.broker,
    build: settings.build,
    env: {
      SKEIN_LISTENERS_TLS_ENABLED: 'true',
      SKEIN_LISTENERS_TLS_PORT: String(tls),
      SKEIN_LISTENERS_TLS_TLS_CERT_FILE: certificate.certFile,
      SKEIN_LISTENERS_TLS_TLS_KEY_FILE: certificate.keyFile,
      SKEIN_LISTENERS_TLS_CONNECTS_PER_SECOND: '0',
      SKEIN_LISTENERS_TLS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
      ...(secretFile && { SKEIN_TLS_TICKET_SECRET_FILE: secretFile }),
    },
  });
  return { ...server, stop: server.stop, tls };
}

/** CPU time of a process so far, in seconds. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function load({ settings, tools }, wanted) {
  const lines = [];
  const command = ['-c', String(settings.cores.generator), process.execPath, CLIENTS];
  const { ended } = tools.group.start('taskset', [...command, JSON.stringify(wanted)], {
    output: (line) => lines.push(line),
  });
  if ((await ended) !== 0) throw new Error(`the clients have failed:\n${lines.join('\n')}`);
  return JSON.parse(lines.at(-1));
}

async function connects(bench, { authority, certificate }) {
  const node = await startNode(bench, { certificate });
  const figures = new Map(MODES.map((mode) => [mode, []]));
  const { caFile } = authority;
  // One round to warm up.
  for (let round = 0; round <= bench.settings.rounds; round += 1) {
    for (const mode of MODES) {
      const port = mode === 'tcp' ? node.ports.mqtt : node.tls;
      const before = cpuOf(node.pid);
      const count = bench.settings.connects;
      const result = await load(bench, { port, caFile, mode, count, atOnce: AT_ONCE });
      if (result.resumed !== (mode === 'resumed' ? count : 0)) {
        throw new Error(`${mode}: ${result.resumed} of ${count} sessions were resumed`);
      }
      const cpuUs = ((cpuOf(node.pid) - before) * 1e6) / count;
      if (round > 0) figures.get(mode).push({ cpuUs, perSecond: count / result.seconds });
    }
  }
  await node.stop();
  const modes = Object.fromEntries(
    [...figures].map(([mode, rounds]) => {
      const cpuUs = median(rounds.map((each) => each.cpuUs));
      const perSecond = median(rounds.map((each) => each.perSecond));
      return [mode, { cpuUs, perCoreSecond: 1e6 / cpuUs, perSecond }];
    }),
  );
  const lines = ['connects: CPU time of the node for each connection up to CONNACK (median)'];
  for (const [mode, { cpuUs, perCoreSecond, perSecond }] of Object.entries(modes)) {
    lines.push(
      `  ${mode.padEnd(8)} ${short(cpuUs)} us, ${short(perCoreSecond)} a second and core; ${short(perSecond)} a second were made`,
    );
  }
  return { result: { case: 'connects', ...modes }, lines };
}

/** How many tickets of the first node shorten the handshake at others. */
async function resumedAt(nodes, ca) {
  const [first, ...others] = nodes;
  let resumed = 0;
  for (let count = 0; count < TICKETS; count += 1) {
    const { socket, ticket } = await openClient({ port: first.tls, ca });
    socket.destroy();
    for (const { tls: port } of others) {
      const again = await openClient({ port, ca, session: ticket });
      if (again.isResumed) resumed += 1;
      again.socket.destroy();
    }
  }
  return resumed / (TICKETS * others.length);
}

async function resumption(bench, { authority, certificate }) {
  const ca = readFileSync(authority.caFile);
  const secretFile = join(bench.tools.directory, 'tickets');
  writeFileSync(secretFile, `${randomBytes(48).toString('base64')}\n`);
  const start = (own) => startNode(bench, { certificate, ...own });
  const nodes = [await start({ secretFile }), await start({ secretFile })];
  nodes.push(await start({ secretFile }));
  const alone = await start({});
  const shared = await resumedAt(nodes, ca);
  const apart = await resumedAt([nodes[0], alone], ca);
  await Promise.all([...nodes, alone].map((node) => node.stop()));
  const percent = (share) => `${short(share * 100)} %`;
  const lines = [
    `resumption: of ${TICKETS} tickets of one node at two others with its secret ${percent(shared)}, at one without ${percent(apart)}`,
  ];
  return { result: { case: 'resumption', shared, apart }, lines };
}

const serialOf = async (client) => {
  const { socket } = await openClient(client);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
};

async function renewal(bench, { authority, certificate }) {
  const { directory } = bench.tools;
  const files = { certFile: join(directory, 'live.crt'), keyFile: join(directory, 'live.key') };
  const replace = (by) => {
    copyFileSync(by.certFile, files.certFile);
    copyFileSync(by.keyFile, files.keyFile);
  };
  replace(certificate);
  const node = await startNode(bench, { certificate: files });
  const client = { port: node.tls, ca: readFileSync(authority.caFile) };
  const before = await serialOf(client);
  const sockets = [];
  for (let count = 0; count < bench.settings.open; count += 1) {
    sockets.push((await openClient(client)).socket);
  }
  replace(await authority.issue({ commonName: 'localhost' }));
  await until('the new certificate', async () => (await serialOf(client)) !== before);
  const answered = await Promise.all(sockets.map(pings));
  const lost = answered.filter((isAnswered) => !isAnswered).length;
  for (const socket of sockets) socket.destroy();
  await node.stop();
  const result = { case: 'renewal', open: sockets.length, lost };
  const lines = [
    `renewal: of ${short(sockets.length)} open connections ${lost} were lost when the certificate changed`,
  ];
  return { result, lines };
}

const CASES = { connects, resumption, renewal };

async function run(settings, tools) {
  const authority = await TestAuthority.create();
  try {
    const certificate = await authority.issue({ commonName: 'localhost' });
    for (const name of settings.cases) {
      const told = await CASES[name]({ settings, tools }, { authority, certificate });
      console.log(settings.json ? JSON.stringify(told.result) : told.lines.join('\n'));
    }
    if (!settings.json)
      console.log(`load of the machine afterwards: ${loadavg().map(short).join(' ')}`);
  } finally {
    await authority.remove();
  }
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
