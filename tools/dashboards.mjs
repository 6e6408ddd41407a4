// Pictures of the dashboards, drawn from what a Prometheus has; see --help.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawBoard } from './dashboards/board.mjs';
import { Source, chosenVariables } from './dashboards/prometheus.mjs';
import { ensurePrograms } from './debian-packages.mjs';

const HELP = `usage: npm run dashboards -- --out DIR [options]

Draws each dashboard of deploy/monitoring/dashboards as a PNG, with what a Prometheus has of the last minutes: every panel at
its place, with its queries, unit, thresholds and legend. It is our own drawing of what Grafana shows, not Grafana's. Panels of
which a query has no data are listed.

  --out DIR            where the pictures go
  --prometheus URL     the Prometheus (default http://127.0.0.1:9090, that of \`npm run cluster -- --observe\`)
  --stage              starts a cluster of its own instead, with Kafka and a Prometheus, lets it run for as long as is drawn
                       under traffic, with clients that fail, a drain and the death of a node, and ends it
  --minutes N          how much of the past is drawn (default 15)
  --scrape-seconds N   how often that Prometheus scrapes (default 5)
  --var NAME=VALUE     what a variable of the dashboards is set to, as pod=node1; may be repeated (default: all)
  --only LIST          some dashboards by their uid, separated by commas
  --svg                SVG instead of PNG
  --help               print this and exit`;

const EXIT_USAGE = 2;
const OUTPUT_MAX = 64 * 1024 * 1024;
/** Enough for letters with smooth edges; a third of the size of all colours. */
const COLORS = '48';
const BOARDS = fileURLToPath(new URL('../deploy/monitoring/dashboards/', import.meta.url));

function usage(message) {
  console.error(`${message}; see --help`);
  process.exit(EXIT_USAGE);
}

function parse() {
  try {
    return parseArgs({
      options: {
        out: { type: 'string' },
        prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
        minutes: { type: 'string', default: '15' },
        'scrape-seconds': { type: 'string', default: '5' },
        var: { type: 'string', multiple: true, default: [] },
        only: { type: 'string' },
        stage: { type: 'boolean', default: false },
        svg: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return usage(error.message);
  }
}

function wholeNumber(values, name) {
  const number = Number(values[name]);
  return Number.isInteger(number) && number > 0
    ? number
    : usage(`--${name}: a whole number from 1`);
}

function chosenOf(list) {
  const pairs = list.map((text) => /^(\w+)=(.+)$/.exec(text) ?? usage(`--var ${text}: NAME=VALUE`));
  return Object.fromEntries(pairs.map(([, name, value]) => [name, value]));
}

function wantedBoards(only) {
  const known = readdirSync(BOARDS).map((file) => file.replace('.json', ''));
  const wanted = only?.split(',') ?? known;
  const unknown = wanted.find((uid) => !known.includes(uid));
  if (unknown !== undefined) usage(`--only: ${unknown} is not among ${known.join(', ')}`);
  return wanted.map((uid) => JSON.parse(readFileSync(join(BOARDS, `${uid}.json`), 'utf8')));
}

/** Gives a program its input; returns what it writes. */
function piped(program, args, input) {
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: OUTPUT_MAX });
  if (status !== 0) throw new Error(`${program}: ${stderr.toString()}`);
  return stdout;
}

/** Writes a picture: as SVG, or as PNG with as many colours as it needs. */
function save(svg, path, isSvg) {
  if (isSvg) writeFileSync(`${path}.svg`, svg);
  else
    writeFileSync(`${path}.png`, piped('pngquant', [COLORS, '-'], piped('rsvg-convert', [], svg)));
}

const values = parse();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (values.out === undefined) usage('--out: is needed');
const scrapeSeconds = wholeNumber(values, 'scrape-seconds');
const minutes = wholeNumber(values, 'minutes');
const chosen = chosenOf(values.var);
const boards = wantedBoards(values.only);
if (!values.svg) await ensurePrograms({ 'rsvg-convert': 'librsvg2-bin', pngquant: 'pngquant' });
mkdirSync(values.out, { recursive: true });

async function drawAll(url) {
  const end = Math.floor(Date.now() / 1_000 / scrapeSeconds) * scrapeSeconds;
  const window = { start: end - minutes * 60, end, scrapeSeconds };
  for (const board of boards) {
    const variables = await chosenVariables(board.templating.list, { url, chosen, window });
    const { svg, empty } = await drawBoard(board, new Source(url, { variables, ...window }));
    save(svg, join(values.out, board.uid), values.svg);
    const told = empty.map(
      ({ title, empty: count }) => `\n  no data for ${count} of the queries of: ${title}`,
    );
    console.log(`${board.uid}: ${board.panels.length} panels${told.join('')}`);
  }
}

try {
  if (values.stage) {
    const { onStage } = await import('./dashboards/stage.mjs');
    await onStage({ minutes, scrapeSeconds }, drawAll);
  } else await drawAll(values.prometheus.replace(/\/$/, ''));
} catch (error) {
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
}
