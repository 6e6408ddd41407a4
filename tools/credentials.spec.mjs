import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { loadConfig } from '#libs/config';
import { curlKey, mosquittoLogin, variablesNeeded } from './credentials.mjs';

const KEY = 'open-sesame-open-sesame';
const NAME = "o'brien & sons";
const env = {
  SKEIN_API_KEY: KEY,
  SKEIN_AUTH_USERS: JSON.stringify([{ name: NAME, password: 'hunter2' }]),
};

/** The words that a shell makes of a line. */
function wordsOf(line, variables) {
  const { stdout } = spawnSync('sh', ['-c', `printf '%s\\n'${line}`], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...variables },
  });
  return stdout.trimEnd().split('\n');
}

it('gives lines that work in a shell that has the variables, without a secret in them', () => {
  const config = loadConfig({ env });
  const line = curlKey(config) + mosquittoLogin(config);
  const variables = { SKEIN_API_KEY: KEY, MQTT_PASSWORD: 'hunter2' };

  expect(wordsOf(line, variables)).toEqual([
    '-H',
    `Authorization: Bearer ${KEY}`,
    '-u',
    NAME,
    '-P',
    'hunter2',
  ]);
  expect(line + variablesNeeded(config)).not.toMatch(/sesame|hunter/);
  for (const name of Object.keys(variables)) expect(variablesNeeded(config)).toContain(name);
});

it('adds nothing where nothing is asked for', () => {
  const config = loadConfig({ env: {} });

  expect([curlKey, mosquittoLogin, variablesNeeded].map((make) => make(config))).toEqual([
    '',
    '',
    '',
  ]);
});
