import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { loadConfig, printConfig } from './index.ts';

const SECRET = 'open-sesame-open-sesame';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-config-'));
  file = join(directory, 'secret');
  writeFileSync(file, `${SECRET}\nnot this\n`);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

it.each([
  ['SKEIN_API_KEY_FILE', 'api', 'key'],
  ['SKEIN_AUTH_SALT_SECRET_FILE', 'auth', 'saltSecret'],
] as const)('%s names a file with the secret, which is printed nowhere', (name, section, key) => {
  const config = loadConfig({ env: { [name]: file } });
  expect({ ...config[section] }).toMatchObject({ [key]: SECRET });
  const text = printConfig(config);
  expect(text).toContain(file);
  expect(text).not.toContain(SECRET);
  const printed = join(directory, 'printed.yaml');
  writeFileSync(printed, text);
  expect(loadConfig({ env: {}, file: printed })).toEqual(config);
});

it('says what is wrong with the file, and nothing of what it holds', () => {
  const faultOf = (env: Record<string, string>): string => {
    try {
      loadConfig({ env });
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };
  writeFileSync(join(directory, 'short'), 'hunter2');
  expect(faultOf({ SKEIN_API_KEY_FILE: join(directory, 'absent') })).toBe(
    `api.keyFile: the file ${join(directory, 'absent')} cannot be read; name a file that this user may read, with the secret in its first line`,
  );
  expect(faultOf({ SKEIN_API_KEY_FILE: file, SKEIN_API_KEY: SECRET })).toBe(
    'api.keyFile: is given beside api.key; remove one of them',
  );
  expect(faultOf({ SKEIN_API_KEY_FILE: join(directory, 'short') })).toBe(
    'api.keyFile: must be 16 to 512 visible ASCII characters without spaces; correct it, or remove it for the default (see docs/configuration.md)',
  );
});
