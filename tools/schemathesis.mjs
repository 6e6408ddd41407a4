// Runs schemathesis (PyPI) against the live API of a cluster of two nodes; see --help.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import './without-jest.mjs';
import { buildIfStale } from './build.mjs';

const HELP = `usage: npm run schemathesis -- [--seed S] [--examples N] [--program FILE] [--help]

Starts two nodes and an API on a Redis of their own (redis-server), and lets schemathesis make requests out of the OpenAPI
document that the API serves: no answer may be a fault of the API, have a status, type or body that is not documented, or
be one of success without a credential. Streams are left out, which never end.

Wants schemathesis: python3 -m venv DIR && DIR/bin/pip install schemathesis, then --program DIR/bin/schemathesis.

  --seed S        a whole number; without it schemathesis chooses one and prints it
  --examples N    test cases for each operation (default 40)
  --program FILE  (default schemathesis)

Exit code 0 only when nothing was found.`;

const CHECKS = [
  ...['not_a_server_error', 'status_code_conformance', 'content_type_conformance'],
  ...['response_schema_conformance', 'unsupported_method', 'allow_header_conformance'],
  ...['ignored_auth', 'missing_required_header'],
];
const STREAMS = ['streamEvents', 'streamMessages', 'streamStats'];
/** What waits for a device that there is not, and what answers 503 by its nature. */
const LEFT_OUT = ['requestMessage', 'getHealthCheck', 'listHealthChecks'];

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    examples: { type: 'string', default: '40' },
    program: { type: 'string', default: 'schemathesis' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const { FuzzedCluster } = await import('../test/api/fuzz/fuzzed-cluster.ts');
await buildIfStale();
const cluster = await FuzzedCluster.start();
let code = 1;
try {
  const flags = [
    ...['run', `${cluster.origin}/api/openapi.json`, '--workers', '2', '--no-color'],
    ...['--phases', 'examples,coverage,fuzzing', '--checks', CHECKS.join(',')],
    ...['--max-examples', values.examples, '--continue-on-failure', '--request-timeout', '20'],
    ...['-H', `Authorization: Bearer ${cluster.key}`, '--warnings', 'off'],
    ...[...STREAMS, ...LEFT_OUT].flatMap((id) => ['--exclude-operation-id', id]),
    ...(values.seed === undefined ? [] : ['--seed', values.seed]),
  ];
  const child = spawn(values.program, flags, { stdio: 'inherit' });
  [code] = await once(child, 'exit');
  for (const fault of await cluster.faults()) {
    console.log(fault);
    code = 1;
  }
} finally {
  await cluster.stop();
}
process.exit(code ?? 1);
