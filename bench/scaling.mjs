// What grows with routes, sessions, nodes and messages, measured on the real parts; see --help.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ProcessGroup, onStopSignal } from '../tools/process-group.mjs';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;
const HEAP_MB = 7_000;

const MILLION = 1_000_000;
const KINDS = ['device', 'exact', 'plus', 'site'];

/** Each run is a process of its own, so that none finds another's memory. */
const SECTIONS = {
  routes: (isLarge) => [
    ...KINDS.map((kind) => ['routes', kind, MILLION]),
    ...[1, 2, ...(isLarge ? [10] : [])].map((millions) => ['routes', 'mix', millions * MILLION]),
  ],
  join: (isLarge) => [['join', (isLarge ? 10 : 1) * MILLION]],
  stores: () => [['stores']],
  sessions: (isLarge) => [['sessions', isLarge ? 100_000 : 20_000]],
  sweep: (isLarge) => [['sweep', 100_000], ...(isLarge ? [['sweep', MILLION]] : [])],
  cluster: () => [['cluster', '3,10,25,50']],
};
const NAMES = Object.keys(SECTIONS);

const HELP = `usage: npm run bench:scaling -- [options]

Measures what a route, a session, a retained message and a frame take: bytes of a node's heap and of Redis, commands, and
processor time. Redis is real, on loopback, started and stopped here, and so are the libs; clients are in memory, and the
nodes of "cluster" are buses in one process. One JSON line per result. docs/scaling.md says what follows.

  --section LIST  ${NAMES.join(', ')} (default: all, about 3 minutes on two cores)
                    routes    the route table: bytes, time of a change and of a match
                    join      a node that joins 49 others, whose routes are in Redis
                    stores    calls of the stores and frames, and what their keys take
                    sessions  a node's sessions with Redis as the store, and their heritage
                    sweep     the sweep of a node with many sessions
                    cluster   route changes among 3 to 50 nodes
  --large         10,000,000 routes, 1,000,000 sessions to sweep: up to 8 GiB and 10 minutes
  --help          print this and exit`;

function settingsOf() {
  try {
    const { values } = parseArgs({
      options: {
        section: { type: 'string', default: NAMES.join(',') },
        large: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const sections = values.section.split(',');
    if (sections.every((name) => NAMES.includes(name))) return { ...values, sections };
    throw new Error(`--section: some of ${NAMES.join(', ')}`);
  } catch (error) {
    console.error(`${error.message}; see --help`);
    return process.exit(EXIT_USAGE);
  }
}

const { sections, large, help } = settingsOf();
if (help) {
  console.log(HELP);
  process.exit(0);
}
const group = new ProcessGroup();
onStopSignal(
  () => void group.stop().then(() => process.exit(EXIT_STOPPED)),
  () => group.kill(),
);
const node = ['--expose-gc', `--max-old-space-size=${HEAP_MB}`, '--conditions=source'];
for (const name of sections) {
  for (const [script, ...args] of SECTIONS[name](large)) {
    const file = fileURLToPath(new URL(`scaling/${script}.mjs`, import.meta.url));
    const { ended } = group.start(process.execPath, [...node, file, ...args.map(String)]);
    if ((await ended) !== 0) process.exitCode = EXIT_FAILED;
  }
}
