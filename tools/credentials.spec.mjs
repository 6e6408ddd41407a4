import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { loadConfig } from '#libs/config';
import { curlKey, mosquittoLogin, userToMake, variablesNeeded } from './credentials.mjs';

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

it('logs in as a user that has to be made over REST first, where only such users are asked for', () => {
  const config = loadConfig({
    env: {
      SKEIN_AUTH_SALT_SECRET: 'salts-of-a-trial-alone',
      SKEIN_AUTH_CHAIN: '[{"kind":"stored"}]',
    },
  });
  const words = wordsOf(` ${userToMake(config, 'http://127.0.0.1:8080')}`, {});
  const { name, password, acl } = JSON.parse(words.at(-1));

  expect(words[2]).toBe('http://127.0.0.1:8080/api/v1/users');
  expect(wordsOf(mosquittoLogin(config), {})).toEqual(['-u', name, '-P', password]);
  expect(acl[0].topics).toEqual(['demo/#', 'devices/#']);
  expect(userToMake(loadConfig({ env }), 'http://127.0.0.1:8080')).toBeUndefined();
});

it('adds nothing where nothing is asked for', () => {
  const config = loadConfig({ env: {} });

  expect([curlKey, mosquittoLogin, variablesNeeded].map((make) => make(config))).toEqual([
    '',
    '',
    '',
  ]);
});
