// What the nodes and the API of `npm run cluster` are told: settings of a file of one's own, and of the sample where it says nothing.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { loadConfig } from '#libs/config';

const FLAGS = ['--no-kafka', '--observe', '--help'];

/**
 * Reads the words after `npm run cluster --`; `fault` says what is wrong with them.
 *
 * @returns what is wished, `config` the path of a file of settings
 */
export function wishesOf(argv) {
  const wishes = { withKafka: true, observed: false, help: false, config: undefined };
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at];
    if (word === '--no-kafka') wishes.withKafka = false;
    else if (word === '--observe') wishes.observed = true;
    else if (word === '--help') wishes.help = true;
    else if (word.startsWith('--config=')) wishes.config = word.slice('--config='.length);
    else if (word === '--config') wishes.config = argv[(at += 1)] ?? '';
    else {
      const known = `${['--config FILE', ...FLAGS].slice(0, -1).join(', ')} and ${FLAGS.at(-1)}`;
      return { ...wishes, fault: `${word}: is not a known flag; the known ones are ${known}` };
    }
  }
  return wishes.config === ''
    ? { ...wishes, fault: '--config: a path is missing; for example --config skein.yaml' }
    : wishes;
}

/**
 * Variables of all processes, before those of Redis and Kafka. Everybody may connect unless the file, or a variable, says who
 * may; the `asked` configuration is that of the file and the variables.
 *
 * @throws ConfigError when the file or a variable is wrong
 */
export function clusterSettings({ config, env }) {
  const given = config === undefined ? env : { ...env, SKEIN_CONFIG: config };
  const asked = loadConfig({ env: given });
  const says = asked.auth.users.length > 0 || asked.auth.chain?.length > 0;
  return { env: says ? given : { SKEIN_AUTH_ANONYMOUS: 'true', ...given }, asked };
}

/** Variables that add the bridge `main` to `brokers` and the rules of `sample`, where no bridge and no rule is set already. */
export function sampleBridge({ asked, brokers, sample }) {
  if (asked.bridges.length > 0 || asked.bridgeRules.length > 0) return {};
  return {
    SKEIN_BRIDGES: JSON.stringify([{ id: 'main', kind: 'kafka', brokers: brokers.split(',') }]),
    SKEIN_BRIDGE_RULES: JSON.stringify(parse(readFileSync(sample, 'utf8')).bridgeRules),
  };
}
