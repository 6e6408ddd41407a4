// Makes SCRAM credentials of a password, for auth.users[].scram; see --help.
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import {
  SCRAM_ITERATIONS_MIN,
  SCRAM_MECHANISMS,
  deriveScramCredential,
  formatScramCredential,
  saslprep,
} from '#libs/access';
import { NodeScramCrypto } from '#libs/access-sources';
import { SETTINGS } from '#libs/config';

const setting = SETTINGS.find(({ path }) => path === 'auth.iterations');
const HELP = `usage: npm run -s scram [-- --iterations N] < FILE

Reads a password, the first line of its input, and prints what auth.users[].scram takes: the broker recognises the
password by it and does not know it. --iterations should be auth.iterations of the nodes (default ${setting.default}).
Exit code 2: the password or a flag is wrong.`;

class UsageError extends Error {}

async function password() {
  if (process.stdin.isTTY) console.error('Password (it is shown), then Enter:');
  for await (const line of createInterface({ input: process.stdin })) return line;
  return '';
}

async function main() {
  const { values } = parseArgs({
    options: { help: { type: 'boolean' }, iterations: { type: 'string' } },
  });
  if (values.help) return console.log(HELP);
  const iterations = Number(values.iterations ?? setting.default);
  if (
    !Number.isInteger(iterations) ||
    iterations < SCRAM_ITERATIONS_MIN ||
    iterations > 1_000_000
  ) {
    throw new UsageError(`--iterations ${setting.expects.replace(/^a/, 'must be a')}`);
  }
  const prepared = saslprep(await password());
  if (prepared.kind === 'refused') throw new UsageError(`the password ${prepared.fault}`);
  if (prepared.text === '') throw new UsageError('the password is empty');
  console.log('scram:');
  for (const mechanism of SCRAM_MECHANISMS) {
    const options = { mechanism, salt: randomBytes(16), iterations };
    const credential = await deriveScramCredential(new NodeScramCrypto(), prepared.text, options);
    console.log(`  - ${formatScramCredential(credential)}`);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
